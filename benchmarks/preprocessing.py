"""Speed and memory of preprocessing by format and length, compared with the reference's steps.

    python -m benchmarks.preprocessing                  # 20, 60 and 240 million events: 20 minutes
    python -m benchmarks.preprocessing --millions 5     # quick
    python -m benchmarks.preprocessing --representations    # only one line per representation

The recordings contain simulated daytime traffic at 1280 x 720 px, with five to six million events
per second. Each is written as gzip-compressed HDF5 (the format of eTraM), as uncompressed HDF5, and
as Prophesee RAW in both encodings. Each line reads the file, makes one stacked histogram of half
the resolution every 50 ms, and writes the compressed histograms. `reference` reimplements the steps
of RVT's script with h5py and PyTorch, in one thread like the script; it reads the gzip file. Each
line is measured in a separate process, so that its peak memory is not affected by others; the
results are checked to be equal before speeds are compared. Three lines show a recording at eTraM's
mean rate, whose histograms are mostly empty; one line shows the histograms alone, from events in
memory. The last lines do so for every representation, with the size of a compressed window.
"""

import argparse
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import hdf5plugin
import numpy as np
from benchmarks.hardware import describe_cpu
from benchmarks.traffic import HEIGHT, MEAN, WIDTH, traffic, write_mean_rate, write_recordings

from etram_pipeline.core.component import kinds
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.recording import Events
from etram_pipeline.events import representations
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.representations.stacked_histogram import Config as Histogram
from etram_pipeline.events.windows.label_aligned import Config as Windows
from etram_pipeline.preprocessing.representations import EncodeJob
from etram_pipeline.stores.compression import compress
from etram_pipeline.stores.settings import Profile, StorageSettings

if TYPE_CHECKING:  # importing it costs memory, which is measured
    import torch

FRAME_INTERVAL_US = 100_000
DATASET = DatasetSettings(height=HEIGHT, width=WIDTH, class_names=("car",))
WINDOWS, HISTOGRAM = Windows(), Histogram()
NUM_EVENTS = 250_000
WARM_UP = "warm_up"
PROFILES: tuple[Profile, ...] = ("archive", "training")
# Name of a line, the file it reads, and how it stores images.
WAYS = (
    ("reference", "gzip", "archive"),
    ("gzip HDF5", "gzip", "archive"),
    ("  to LZ4", "gzip", "training"),
    ("plain HDF5", "plain", "archive"),
    ("EVT3", "evt3", "archive"),
    ("EVT2", "evt2", "archive"),
)


def main() -> None:
    """Print one line per length of recording and way of encoding it."""
    arguments = parse_arguments()
    if arguments.measure:
        measure(arguments.measure, *arguments.paths)
        return
    print(f"{describe_cpu()}, Python {platform.python_version()}")
    if arguments.representations:
        compare_representations(simulated_events())
        return
    print(
        "  events way          wall s  CPU s  M events/s: wall  per core  peak MB"
        "  x reference: wall    CPU"
    )
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        write_recordings(Path(folder) / WARM_UP, 1)
        for millions in arguments.millions:
            recordings = Path(folder) / str(millions)
            write_recordings(recordings, millions)
            compare(recordings, millions, WAYS)
            shutil.rmtree(recordings)
        print(f"eTraM's mean rate, {MEAN.duration_s} s:")
        recordings = Path(folder) / "mean"
        recordings.mkdir()
        compare(recordings, write_mean_rate(recordings / "gzip") / 1e6, WAYS[:3])
    events = simulated_events()
    compare_histograms(events)
    compare_representations(events)


def parse_arguments() -> argparse.Namespace:
    """Command-line arguments."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[20, 60, 240])
    parser.add_argument("--representations", action="store_true", help="compare only these")
    parser.add_argument("--folder", help="where to write recordings and histograms")
    parser.add_argument("--measure", choices=["ours", "reference"], help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def compare(recordings: Path, millions: float, ways: Sequence[tuple[str, str, str]]) -> None:
    """Encode a recording in several ways, compare the results, and print a line for each."""
    reference_wall_s = reference_cpu_s = 0.0
    for way, file, profile in ways:
        out, wanted = recordings / "out", recordings / "reference.h5"
        kind = "reference" if way == "reference" else "ours"
        paths = [str(recordings / file), str(recordings.parent / WARM_UP / file), str(out), profile]
        command = [sys.executable, "-m", "benchmarks.preprocessing", "--measure", kind, *paths]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        wall_s, cpu_s, peak_mb = map(float, answer.split())
        images = next(out.rglob("*.h5"))
        if way == "reference":
            reference_wall_s, reference_cpu_s = wall_s, cpu_s
            images.rename(wanted)
            ratios = ""
        else:
            check_equal(wanted, images)
            images.unlink()
            ratios = f"{reference_wall_s / wall_s:16.1f} {reference_cpu_s / cpu_s:6.1f}"
        print(
            f"{millions:6.0f} M {way:10} {wall_s:8.2f} {cpu_s:6.2f} {millions / wall_s:17.1f} "
            f"{millions / cpu_s:9.1f} {peak_mb:8.0f}  {ratios}",
            flush=True,
        )


def measure(way: str, recording: str, warm_up: str, out: str, profile: str) -> None:
    """Encode a recording and print wall and CPU seconds and the peak memory in MB.

    The first second of a process goes to importing and loading compiled code and is not counted, as
    a recording of eTraM takes many times as long.
    """
    encode = encode_as_reference if way == "reference" else encode_here
    encode(Path(warm_up), Path(out), profile)
    next(Path(out).rglob("*.h5")).unlink()
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    encode(Path(recording), Path(out), profile)
    print(time.perf_counter() - wall_s, time.process_time() - cpu_s, peak_memory_mb())


def peak_memory_mb() -> float:
    """Peak memory of this process; `getrusage` would include the process that started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def frame_times_us(recording: Path) -> tuple[int, ...]:
    """Times of labelled frames, at which windows end, for the whole recording."""
    with h5py.File(recording.with_name("gzip")) as file:
        last_us = int(file["events/t"][-1])
    return tuple(range(FRAME_INTERVAL_US, last_us, FRAME_INTERVAL_US))


def encode_here(recording: Path, out: Path, profile: str) -> None:
    """Encode a recording as preprocessing does."""
    job = EncodeJob(
        recording,
        frame_times_us(recording),
        FRAME_INTERVAL_US,
        DATASET,
        WINDOWS,
        HISTOGRAM,
        StorageSettings.model_validate({"profile": profile}),
    )
    job(out, "benchmark")


def encode_as_reference(recording: Path, out: Path, _profile: str) -> None:
    """Encode a recording by the steps of RVT's `scripts/genx/preprocess_dataset.py`."""
    import torch

    torch.set_num_threads(1)
    out.mkdir(exist_ok=True)
    shape = (20, HEIGHT // 2, WIDTH // 2)
    plan = WINDOWS.plan(
        np.array(frame_times_us(recording)), FRAME_INTERVAL_US, open_recording(recording)
    )
    with h5py.File(recording) as file, h5py.File(out / "images.h5", "w") as target:
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
        for stop_us in plan.stop_us:
            span = slice(
                np.searchsorted(times_us, stop_us - 1000 * (WINDOWS.duration_ms or 0)),
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


def simulated_events() -> Events:
    """Events of a window of traffic."""
    chunks = list(traffic(1))
    return Events(
        x=np.concatenate([chunk.x for chunk in chunks])[:NUM_EVENTS],
        y=np.concatenate([chunk.y for chunk in chunks])[:NUM_EVENTS],
        t_us=np.concatenate([chunk.t_us for chunk in chunks])[:NUM_EVENTS],
        polarity=np.concatenate([chunk.polarity for chunk in chunks])[:NUM_EVENTS],
    )


def compare_histograms(events: Events) -> None:
    """Print how fast a window of events in memory is counted, best of 20 tries."""
    import torch

    torch.set_num_threads(1)
    columns = (events.x, events.y, events.polarity, events.t_us)
    tensors = [torch.from_numpy(column.astype(np.int64)) for column in columns]
    represent = HISTOGRAM.build(HEIGHT, WIDTH)
    buffer = represent.buffer()
    reference_s = best_cpu_s(lambda: histogram_as_reference(*tensors))
    ours_s = best_cpu_s(lambda: represent.draw(events, buffer))
    print(
        f"histograms alone: reference {NUM_EVENTS / reference_s / 1e6:.1f}, ours "
        f"{NUM_EVENTS / ours_s / 1e6:.1f} M events/s of CPU, {reference_s / ours_s:.1f}x"
    )


def compare_representations(events: Events) -> None:
    """Print how fast each representation of a window is drawn, and its size when compressed."""
    print(f"a window of {len(events)} events   ms of CPU  M events/s  KB Zstandard  KB LZ4")
    for kind in sorted(kinds(representations.__name__)):
        represent = RepresentationConfig.model_validate({"kind": kind}).build(HEIGHT, WIDTH)
        buffer = represent.buffer()
        drawn_s = best_cpu_s(partial(represent.draw, events, buffer))
        sizes_kb: list[float] = []
        for profile in PROFILES:
            represent.draw(events, buffer)
            [chunk] = compress([buffer], profile)
            sizes_kb.append(len(chunk.content) / 1000)
        print(
            f"  {kind:26} {1e3 * drawn_s:9.2f} {len(events) / drawn_s / 1e6:11.0f} "
            f"{sizes_kb[0]:13.1f} {sizes_kb[1]:7.1f}"
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
    with h5py.File(reference) as wanted, h5py.File(ours) as found:
        for window, (image, other) in enumerate(zip(wanted["data"], found["data"], strict=True)):
            if not np.array_equal(image, other):
                raise SystemExit(f"window {window} of {ours} differs")


if __name__ == "__main__":
    main()
