"""Streams of events, and what a recording of them would give."""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from etram_pipeline.core.recording import Recording
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.cutter import CutWindow, WindowCutter

HEIGHT, WIDTH = 12, 16
EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("p", "i1")])

Table = npt.NDArray[Any]

EVENT_REST: list[tuple[str, str]] = [("x", "<i2"), ("y", "<i2"), ("p", "i1")]
STEPS_US = (
    st.integers(0, 40)  # within a part of a window
    | st.integers(0, 20_000)
    | st.integers(-6_000, -1)  # late
    | st.integers(100_000, 900_000)  # silence
)
"""Time between two events, in microseconds."""


def encoding(**windows: object) -> EncodingSettings:
    """Histograms of two parts, in windows of 50 ms unless said otherwise."""
    return EncodingSettings.model_validate(
        {
            "windows": {"kind": "regular", **windows},
            "representation": {"kind": "stacked_histogram", "bins": 2},
        }
    )


def events_at(times_us: Iterable[int], seed: int = 0, margin: int = 0) -> Table:
    """An event at each time, anywhere on the sensor or up to `margin` px outside."""
    times = np.fromiter(times_us, np.int64)
    rng = np.random.default_rng(seed)
    table = np.zeros(len(times), EVENT)
    table["t"] = times
    table["x"] = rng.integers(-margin, WIDTH + margin, len(times))
    table["y"] = rng.integers(-margin, HEIGHT + margin, len(times))
    table["p"] = rng.integers(0, 2, len(times))
    return table


def cutter(settings: EncodingSettings | None = None, **options: int | None) -> WindowCutter:
    """A cutter for the sensor of these streams."""
    return WindowCutter(settings or encoding(), HEIGHT, WIDTH, **options)


def cut(cutter: WindowCutter, chunks: Iterable[Chunk]) -> Iterator[CutWindow]:
    """All windows of a stream, to its end."""
    for chunk in chunks:
        yield from cutter.push(chunk)
    yield from cutter.finish()


def recorded(folder: Path, events: Table) -> Recording:
    """A file with these events."""
    path = folder / "events.npy"
    np.save(path, events)
    return open_recording(path, size=(HEIGHT, WIDTH))


def parts(events: Table, sizes: Iterable[int]) -> Iterator[Table]:
    """The events in chunks of these sizes, the last of which takes all that is left."""
    first = 0
    for size in sizes:
        yield events[first : first + size]
        first += size
    yield events[first:]
