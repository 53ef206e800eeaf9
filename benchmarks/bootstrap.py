"""Time and memory of intervals and of paired comparisons, by number of frames.

    python -m benchmarks.bootstrap                 # up to the size of eTraM's test set
    python -m benchmarks.bootstrap --frames 1000   # quick

Two sets of detections of the same labels are evaluated and written to files. Then a separate
process reads both files and compares them, with 1000 draws of the recordings that are the same for
both. Its time and peak memory are reported. The first run on a machine compiles for some seconds.
"""

import argparse
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from benchmarks.evaluation import NUM_RECORDINGS, make_detections, make_labels
from benchmarks.hardware import describe_cpu

from etram_pipeline.core.machine import num_cores
from etram_pipeline.evaluation.matches import read_matches, write_matches
from etram_pipeline.evaluation.paired import compare_matches
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches


def main() -> None:
    """Print one line per number of frames."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1_000, 5_000, 20_000, 60_000])
    parser.add_argument("--detections-per-frame", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--compare", type=Path, nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.compare:
        measure(arguments.compare, arguments.rounds)
        return
    print(f"{describe_cpu()}, {num_cores()} used, Python {platform.python_version()}")
    print("  frames  detections   MB a file  rounds   seconds    CPU s  peak MB  difference of AP")
    for frames in arguments.frames:
        with tempfile.TemporaryDirectory() as folder:
            paths = write_sides(Path(folder), frames, arguments.detections_per_frame)
            sizes = sum(path.stat().st_size for path in paths) / len(paths) / 1e6
            print(f"{sizes:12.1f}", end=" ", flush=True)
            rounds = ["--rounds", str(arguments.rounds)]
            command = [sys.executable, "-m", "benchmarks.bootstrap", *rounds, "--compare"]
            subprocess.run([*command, *map(str, paths)], check=True)


def write_sides(folder: Path, frames: int, detections_per_frame: int) -> list[Path]:
    """Files with the matches of two detectors, which make different errors in the same scenes."""
    rng = np.random.default_rng(0)
    names = [
        f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"
        for number in range(NUM_RECORDINGS)
    ]
    labels = {name: make_labels(rng, frames // NUM_RECORDINGS + 1) for name in names}
    found: list[tuple[Path, Metrics]] = []
    for _side in range(2):
        detections = {
            name: make_detections(rng, table, detections_per_frame)
            for name, table in labels.items()
        }
        metrics, matches = evaluate_with_matches(labels, detections, "etram_8class")
        path = folder / f"{len(found)}.npz"
        write_matches(matches, path)
        found.append((path, metrics))
    (first, metrics), (second, _) = found
    print(f"{metrics.num_frames:8d} {metrics.num_detections:11d}", end="")
    return [first, second]


def measure(paths: Sequence[Path], rounds: int) -> None:
    """Print the rest of the line: what comparing two files takes."""
    start, start_cpu = time.perf_counter(), time.process_time()
    before, after = (read_matches(path) for path in paths)
    difference = compare_matches([before], [after], rounds=rounds)["AP"]
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    peak_mb = peak_memory_mb()
    print(
        f"{rounds:7d} {seconds:9.2f} {cpu_seconds:8.2f} {peak_mb:8.0f}  "
        f"{difference.difference:+.4f} ({difference.low:+.4f} to {difference.high:+.4f})"
    )


def peak_memory_mb() -> float:
    """Most memory of this process alone; `getrusage` starts from that of the parent process."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.is_file() else []
    found = [int(line.split()[1]) for line in lines if line.startswith("VmHWM")]
    return (found or [resource.getrusage(resource.RUSAGE_SELF).ru_maxrss])[0] / 1024


if __name__ == "__main__":
    main()
