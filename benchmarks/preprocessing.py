"""Speed and memory of preprocessing by length of recording, and against the reference's steps.

    python benchmarks/preprocessing.py                  # 5, 20 and 60 million events
    python benchmarks/preprocessing.py --millions 1 5   # quick

Recordings hold random events on 1280 x 720 px, five million a second, in gzip-compressed HDF5 as
eTraM publishes them; random events are the hardest to compress. Both ways read the file, make one
stacked histogram of half the resolution every 50 ms and write them compressed. `reference` is a
plain rewriting of what RVT's script does in each window with h5py and PyTorch, on one thread as
there. Every line is a process of its own, so that its peak memory is its own; CPU seconds count
where others use the machine too. The last line is about the histograms alone, of events in memory.
"""

import argparse
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import hdf5plugin
import numpy as np

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.recording import Events
from etram_pipeline.events.representations.stacked_histogram import Config as Histogram
from etram_pipeline.events.windows.regular import Config as Windows
from etram_pipeline.sequences.preprocess import EncodeJob
from etram_pipeline.sequences.settings import StorageSettings

if TYPE_CHECKING:  # importing it costs memory, which is measured
    import torch

HEIGHT, WIDTH = 720, 1280
EVENTS_PER_SECOND = 5_000_000
WINDOW_US = 50_000
DATASET = DatasetSettings(height=HEIGHT, width=WIDTH, class_names=("car",))
WINDOWS, HISTOGRAM = Windows(), Histogram()


def main() -> None:
    """Print one line per length of recording and way of encoding it."""
    arguments = parse_arguments()
    if arguments.measure:
        measure(arguments.measure, *arguments.paths)
        return
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print("   events way        wall s   CPU s  M events/s of CPU  peak MB  reference / ours (CPU)")
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        for millions in arguments.millions:
            recording = Path(folder) / f"{millions}_td.h5"
            write_etram_recording(recording, random_events(millions), HEIGHT, WIDTH)
            compare(recording, millions)
            recording.unlink()
    compare_histograms()


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[5, 20, 60])
    parser.add_argument("--folder", help="where to write recordings and histograms")
    parser.add_argument("--measure", choices=["ours", "reference"], help=argparse.SUPPRESS)
    parser.add_argument("paths", type=Path, nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def random_events(millions: int) -> Iterator[Events]:
    """Events spread evenly over the sensor, a million at a time."""
    rng = np.random.default_rng(0)
    span_us = 1_000_000 * 1_000_000 // EVENTS_PER_SECOND
    for million in range(millions):
        yield Events(
            x=rng.integers(0, WIDTH, 1_000_000, np.uint16),
            y=rng.integers(0, HEIGHT, 1_000_000, np.uint16),
            t_us=million * span_us + np.sort(rng.integers(0, span_us, 1_000_000)),
            polarity=rng.integers(0, 2, 1_000_000, np.uint8),
        )


def compare(recording: Path, millions: int) -> None:
    """Encode a recording both ways, compare the results, and print a line for each."""
    cpu_s: dict[str, float] = {}
    written: dict[str, Path] = {}
    for way in ("reference", "ours"):
        written[way] = recording.with_name(way)
        command = [sys.executable, __file__, "--measure", way, str(recording), str(written[way])]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall_s, cpu_s[way], peak_mb = map(float, answer.split())
        ratio = f"{cpu_s['reference'] / cpu_s['ours']:16.1f}x" if way == "ours" else ""
        speed = millions / cpu_s[way]
        print(
            f"{millions:7} M {way:10} {wall_s:6.2f}  {cpu_s[way]:6.2f}  {speed:17.1f}  "
            f"{peak_mb:7.0f}  {ratio}",
            flush=True,
        )
    check_equal(written["reference"], written["ours"])


def measure(way: str, recording: Path, out: Path) -> None:
    """Encode a recording and print wall and CPU seconds and the peak memory in MB.

    The first second of a process goes to importing and compiling and is not counted, as a
    recording of eTraM takes many times as long.
    """
    encode = encode_as_reference if way == "reference" else encode_here
    warm_up = out.with_name(f"{way}_warm_up_td.h5")
    write_etram_recording(warm_up, random_events(1), HEIGHT, WIDTH)
    encode(warm_up, out.with_name(f"{way}_warm_up"))
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    encode(recording, out)
    wall_s, cpu_s = time.perf_counter() - wall_s, time.process_time() - cpu_s
    peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(wall_s, cpu_s, peak_mb)


def encode_here(recording: Path, out: Path) -> None:
    """Encode a recording as preprocessing does."""
    job = EncodeJob(recording, (), 0, DATASET, WINDOWS, HISTOGRAM, StorageSettings())
    job(out, "benchmark")


def encode_as_reference(recording: Path, out: Path) -> None:
    """Encode a recording by the steps of RVT's `scripts/genx/preprocess_dataset.py`."""
    import torch

    torch.set_num_threads(1)
    out.mkdir(exist_ok=True)
    shape = (20, HEIGHT // 2, WIDTH // 2)
    with h5py.File(recording) as file, h5py.File(out / "reference.h5", "w") as target:
        columns = file["events"]
        times_us = np.maximum.accumulate(columns["t"][:].astype(np.int64))
        data = target.create_dataset(
            "data",
            shape=(0, *shape),
            maxshape=(None, *shape),
            chunks=(1, *shape),
            dtype=np.uint8,
            **hdf5plugin.Blosc(cname="zstd", clevel=1, shuffle=1),
        )
        for stop_us in range(WINDOW_US, times_us[-1] + WINDOW_US, WINDOW_US):
            span = slice(
                np.searchsorted(times_us, stop_us - WINDOW_US),
                np.searchsorted(times_us, stop_us, side="right"),
            )
            x, y, p = (columns[name][span].astype(np.int64) for name in "xyp")
            tensors = [torch.from_numpy(column) for column in (x, y, p, times_us[span])]
            data.resize(len(data) + 1, axis=0)
            data[-1] = histogram_as_reference(*tensors)


def histogram_as_reference(*columns: "torch.Tensor") -> np.ndarray:
    """Histogram of `x, y, p, t`, counted at full resolution, then halved."""
    import torch

    x, y, p, t = columns
    image = torch.zeros((2, 10, HEIGHT, WIDTH), dtype=torch.uint8)
    if len(t):
        share = (t - t[0]) / torch.clamp(t[-1] - t[0], min=1)
        part = torch.clamp((share * 10).floor(), max=9).long()
        cells = x + WIDTH * (y + HEIGHT * (part + 10 * p))
        image.put_(cells, torch.ones_like(cells, dtype=torch.uint8), accumulate=True)
        image = torch.clamp(image, min=0, max=10)
    image = image.reshape(1, 20, HEIGHT, WIDTH)
    half = torch.nn.functional.interpolate(image, scale_factor=0.5, mode="nearest-exact")
    return np.asarray(half[0])


def compare_histograms() -> None:
    """Print how fast a window of events in memory is counted, best of 20 tries."""
    import torch

    torch.set_num_threads(1)
    num_events = EVENTS_PER_SECOND * WINDOW_US // 1_000_000
    events = next(random_events(1)).slice(0, num_events)
    columns = (events.x, events.y, events.polarity, events.t_us)
    tensors = [torch.from_numpy(column.astype(np.int64)) for column in columns]
    represent = HISTOGRAM.build(HEIGHT, WIDTH)
    reference_s = best_cpu_s(lambda: histogram_as_reference(*tensors))
    ours_s = best_cpu_s(lambda: represent(events))
    print(
        f"histograms alone: reference {num_events / reference_s / 1e6:.1f}, ours "
        f"{num_events / ours_s / 1e6:.1f} M events/s of CPU, {reference_s / ours_s:.1f}x"
    )


def best_cpu_s(work: Callable[[], object]) -> float:
    """CPU seconds of the fastest of 20 tries."""
    tries: list[float] = []
    for _ in range(20):
        start = time.process_time()
        work()
        tries.append(time.process_time() - start)
    return min(tries)


def check_equal(reference: Path, ours: Path) -> None:
    """Refuse to compare the speed of different results."""
    with (
        h5py.File(reference / "reference.h5") as wanted,
        h5py.File(next(ours.rglob("*.h5"))) as found,
    ):
        for window, (image, other) in enumerate(zip(wanted["data"], found["data"], strict=True)):
            if not np.array_equal(image, other):
                raise SystemExit(f"window {window} differs")


def processor() -> str:
    """Name of the processor, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
