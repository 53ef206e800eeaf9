"""Speed and memory of preprocessing by format and length, and against the reference's steps.

    python benchmarks/preprocessing.py                  # 20, 60 and 240 million events: 20 minutes
    python benchmarks/preprocessing.py --millions 5     # quick

Recordings show simulated traffic by day on 1280 x 720 px, five to six million events a second. Each
is written as gzip-compressed HDF5, as eTraM publishes them, as plain HDF5, and as Prophesee RAW of
both encodings. Every way reads the file, makes one stacked histogram of half the resolution every
50 ms and writes them compressed. `reference` is a plain rewriting of what RVT's script does in
each window with h5py and PyTorch, in one thread as there; it reads the gzip file. Every line is a
process of its own, so that its peak memory is its own; results are compared before their speed is.
Three lines are about a recording at eTraM's mean rate, of which images are mostly empty, and the
last one is about the histograms alone, of events in memory.
"""

import argparse
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import hdf5plugin
import numpy as np

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.recording import Events, open_recording
from etram_pipeline.events.representations.stacked_histogram import Config as Histogram
from etram_pipeline.events.scene.scene import Scene
from etram_pipeline.events.scene.settings import SceneSettings
from etram_pipeline.events.windows.label_aligned import Config as Windows
from etram_pipeline.sequences.preprocess import EncodeJob
from etram_pipeline.sequences.settings import StorageSettings

if TYPE_CHECKING:  # importing it costs memory, which is measured
    import torch

HEIGHT, WIDTH = 720, 1280
FRAME_INTERVAL_US = 100_000
DATASET = DatasetSettings(height=HEIGHT, width=WIDTH, class_names=("car",))
WINDOWS, HISTOGRAM = Windows(), Histogram()
NUM_EVENTS = 250_000
WARM_UP = "warm_up"
BUSY = SceneSettings(height=HEIGHT, width=WIDTH)
# Makes 1.39 million events a second, the mean of eTraM's training part.
MEAN = BUSY.model_copy(update={"density": 0.25, "threshold": 0.65, "duration_s": 14.4})
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
    print(f"{processor()}, {os.cpu_count()} cores, Python {platform.python_version()}")
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
    compare_histograms()


def parse_arguments() -> argparse.Namespace:
    """What to measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--millions", type=int, nargs="+", default=[20, 60, 240])
    parser.add_argument("--folder", help="where to write recordings and histograms")
    parser.add_argument("--measure", choices=["ours", "reference"], help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", help=argparse.SUPPRESS)
    return parser.parse_args()


def write_recordings(folder: Path, millions: int) -> None:
    """Write the same events in every format."""
    folder.mkdir()
    write_etram_recording(folder / "gzip", traffic(millions), HEIGHT, WIDTH)
    with (
        h5py.File(folder / "gzip") as source,
        h5py.File(folder / "plain", "w") as plain,
        (folder / "evt3").open("wb") as evt3,
        (folder / "evt2").open("wb") as evt2,
    ):
        columns = {name: source["events"][name] for name in "xypt"}
        copies = {
            name: plain.create_dataset(f"events/{name}", column.shape, column.dtype)
            for name, column in columns.items()
        }
        for encoding, file in (("3.0", evt3), ("2.0", evt2)):
            file.write(f"% evt {encoding}\n% geometry {WIDTH}x{HEIGHT}\n% end\n".encode())
        state = np.full(3, -1)
        for first in range(0, len(columns["t"]), 2**20):
            span = slice(first, first + 2**20)
            values = {name: column[span] for name, column in columns.items()}
            for name, copy in copies.items():
                copy[span] = values[name]
            x, y, p, t = (values[name].astype(np.int64) for name in "xypt")
            evt3.write(evt3_words(x, y, p, t, state))
            evt2.write(evt2_words(x, y, p, t))


def write_mean_rate(path: Path) -> int:
    """Write traffic at eTraM's mean rate, and return how many events it is."""
    events = Scene(MEAN, seed=0).stream(num_threads=os.cpu_count() or 1)
    write_etram_recording(path, events, HEIGHT, WIDTH)
    with h5py.File(path) as file:
        return len(file["events/t"])


def traffic(millions: int) -> Iterator[Events]:
    """Events of simulated traffic, as many as asked for."""
    scene = Scene(BUSY.model_copy(update={"duration_s": millions / 4 + 1}), seed=0)
    num_left = millions * 1_000_000
    for events in scene.stream(num_threads=os.cpu_count() or 1):
        yield events.slice(0, min(num_left, len(events)))
        num_left -= len(events)
        if num_left <= 0:
            return


def evt3_words(
    x: np.ndarray, y: np.ndarray, p: np.ndarray, t: np.ndarray, state: np.ndarray
) -> bytes:
    """EVT3 without vectors: words for time and row where they change; `state` is the last ones."""
    changing = np.stack([t >> 12, t, y], axis=1)
    is_new = np.diff(changing, axis=0, prepend=state[None]) != 0
    is_new[:, 1] |= is_new[:, 0]
    state[:] = changing[-1]
    words = [0x8000 | t >> 12 & 0xFFF, 0x6000 | t & 0xFFF, y, 0x2000 | p << 11 | x]
    is_written = np.column_stack([is_new, np.ones(len(t), bool)])
    encoded: bytes = np.stack(words, axis=1)[is_written].astype("<u2").tobytes()
    return encoded


def evt2_words(x: np.ndarray, y: np.ndarray, p: np.ndarray, t: np.ndarray) -> bytes:
    """EVT2: a word for the high bits of the time where they change, and one for each event."""
    words = np.stack([8 << 28 | t >> 6, p << 28 | (t & 63) << 22 | x << 11 | y], axis=1)
    is_new = np.diff(t >> 6, prepend=-1) != 0
    is_written = np.stack([is_new, np.ones(len(t), bool)], axis=1)
    encoded: bytes = words[is_written].astype("<u4").tobytes()
    return encoded


def compare(recordings: Path, millions: float, ways: Sequence[tuple[str, str, str]]) -> None:
    """Encode a recording in several ways, compare the results, and print a line for each."""
    reference_wall_s = reference_cpu_s = 0.0
    for way, file, profile in ways:
        out, wanted = recordings / "out", recordings / "reference.h5"
        kind = "reference" if way == "reference" else "ours"
        paths = [str(recordings / file), str(recordings.parent / WARM_UP / file), str(out), profile]
        command = [sys.executable, __file__, "--measure", kind, *paths]
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
    """Most memory this process has had; `getrusage` would tell of the one that started it."""
    status = Path("/proc/self/status").read_text()
    (line,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
    return int(line.split()[1]) / 1024


def frame_times_us(recording: Path) -> tuple[int, ...]:
    """Times of labelled frames, which windows end at, as long as the recording lasts."""
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


def compare_histograms() -> None:
    """Print how fast a window of events in memory is counted, best of 20 tries."""
    import torch

    torch.set_num_threads(1)
    chunks = list(traffic(1))
    events = Events(
        x=np.concatenate([chunk.x for chunk in chunks])[:NUM_EVENTS],
        y=np.concatenate([chunk.y for chunk in chunks])[:NUM_EVENTS],
        t_us=np.concatenate([chunk.t_us for chunk in chunks])[:NUM_EVENTS],
        polarity=np.concatenate([chunk.polarity for chunk in chunks])[:NUM_EVENTS],
    )
    columns = (events.x, events.y, events.polarity, events.t_us)
    tensors = [torch.from_numpy(column.astype(np.int64)) for column in columns]
    represent = HISTOGRAM.build(HEIGHT, WIDTH)
    canvas = represent.canvas()
    reference_s = best_cpu_s(lambda: histogram_as_reference(*tensors))
    ours_s = best_cpu_s(lambda: represent.draw(events, canvas))
    print(
        f"histograms alone: reference {NUM_EVENTS / reference_s / 1e6:.1f}, ours "
        f"{NUM_EVENTS / ours_s / 1e6:.1f} M events/s of CPU, {reference_s / ours_s:.1f}x"
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


def processor() -> str:
    """Name of the processor, where the system tells."""
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.is_file() else []
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


if __name__ == "__main__":
    main()
