"""Time and memory of an evaluation by number of frames, compared with common libraries.

    python -m benchmarks.evaluation                 # up to the size of eTraM's test set
    python -m benchmarks.evaluation --frames 1000   # quick

Each line is measured in a separate process, so that its peak memory is not affected by others. The
libraries do the same work: from tables to metrics, including metrics by day and by night. Use
`--libraries-up-to` to skip them where they take too long. On a shared machine, compare CPU seconds.
"""

import argparse
import platform
import resource
import subprocess
import sys
import time
from typing import get_args

import numpy as np
from benchmarks.hardware import describe_cpu

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Engine
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

LABELS_PER_FRAME = 3
CLASS_SHARES = (0.30, 0.55, 0.05, 0.03, 0.02, 0.03, 0.01, 0.01)
NUM_RECORDINGS = 30


def main() -> None:
    """Print one line per number of frames and engine."""
    arguments = parse_arguments()
    if arguments.engine:
        measure(arguments.frames[0], arguments.detections_per_frame, arguments.engine)
        return
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    print("  frames  detections engine             seconds    CPU s  peak MB")
    for frames in arguments.frames:
        for engine in get_args(Engine):
            if engine == "compiled" or frames <= arguments.libraries_up_to:
                run_alone(frames, arguments.detections_per_frame, engine)


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--frames", type=int, nargs="+", default=[1_000, 5_000, 20_000, 60_000])
    parser.add_argument("--detections-per-frame", type=int, default=50)
    parser.add_argument("--libraries-up-to", type=int, default=5_000, metavar="FRAMES")
    parser.add_argument("--engine", help=argparse.SUPPRESS)
    return parser.parse_args()


def run_alone(frames: int, detections_per_frame: int, engine: str) -> None:
    """Measure one engine in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.evaluation",
        "--frames",
        str(frames),
        "--engine",
        engine,
    ]
    subprocess.run([*command, "--detections-per-frame", str(detections_per_frame)], check=True)


def measure(frames: int, detections_per_frame: int, engine: Engine) -> None:
    """Print the line of one engine."""
    rng = np.random.default_rng(0)
    labels: dict[str, LabelTable] = {}
    detections: dict[str, DetectionTable] = {}
    for number in range(NUM_RECORDINGS):
        name = f"test/test_{'day' if number % 2 else 'night'}_{number:04d}"
        labels[name] = make_labels(rng, frames // NUM_RECORDINGS + 1)
        detections[name] = make_detections(rng, labels[name], detections_per_frame)
    start, start_cpu = time.perf_counter(), time.process_time()
    metrics = evaluate(labels, detections, "etram_8class", engine=engine)
    seconds, cpu_seconds = time.perf_counter() - start, time.process_time() - start_cpu
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{metrics.num_frames:8d} {metrics.num_detections:11d} {engine:<17} "
        f"{seconds:8.2f} {cpu_seconds:8.2f} {peak_mb:8.0f}"
    )


def make_labels(rng: np.random.Generator, num_frames: int) -> LabelTable:
    """Random boxes of eTraM's classes on its sensor, at 10 Hz."""
    table = np.zeros(num_frames * LABELS_PER_FRAME, LABEL_DTYPE)
    table["t"] = np.repeat(np.arange(1, num_frames + 1) * 100_000, LABELS_PER_FRAME)
    table["x"], table["y"] = rng.uniform(0, 1100, len(table)), rng.uniform(0, 600, len(table))
    table["w"], table["h"] = rng.uniform(15, 150, (2, len(table)))
    table["class_id"] = rng.choice(len(CLASS_SHARES), len(table), p=CLASS_SHARES)
    return table


def make_detections(rng: np.random.Generator, labels: LabelTable, per_frame: int) -> DetectionTable:
    """Detections at a low threshold: half of them near labels, with higher scores."""
    copies = per_frame // (2 * LABELS_PER_FRAME)
    near = np.repeat(labels, copies)
    far = np.repeat(labels, per_frame // LABELS_PER_FRAME - copies)
    table = np.zeros(len(near) + len(far), DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        table[name] = np.concatenate([near[name], rng.permutation(far[name])])
    table["t"][len(near) :] = far["t"]
    for name in ("x", "y", "w", "h"):
        table[name][: len(near)] += rng.normal(0, 6, len(near)).astype(np.float32)
    table["w"], table["h"] = table["w"].clip(2), table["h"].clip(2)
    table["score"] = rng.beta(1, 6, len(table))
    table["score"][: len(near)] = rng.beta(2, 3, len(near))
    table["class_confidence"] = table["class_score"] = table["score"]
    return table[np.argsort(table["t"], kind="stable")]


if __name__ == "__main__":
    main()
