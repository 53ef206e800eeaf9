"""Recordings cut into windows."""

import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.encode import encode
from etram_pipeline.events.held import Tally
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.representations import Representation
from etram_pipeline.events.representations.stacked_histogram import Config as StackedHistogram
from etram_pipeline.events.windows import WindowPlan


@dataclass
class MemoryRecording(Recording):
    """Events in memory, read in chunks of a few."""

    t_us: np.ndarray
    chunk_size: int = 3
    num_dropped: int = 0
    path: Path = Path("memory")
    height: int = 8
    width: int = 8
    spans_read: list[tuple[int | None, int | None]] = field(default_factory=list)

    @property
    @override
    def num_events(self) -> int:
        return len(self.t_us)

    @property
    @override
    def start_us(self) -> int:
        return int(self.t_us[0])

    @property
    @override
    def stop_us(self) -> int:
        return int(self.t_us[-1]) + 1

    @override
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        self.spans_read.append((start_us, stop_us))
        first, last = np.searchsorted(self.t_us, [start_us or 0, stop_us or 2**62])
        for start in range(int(first), int(last), self.chunk_size):
            numbers = np.arange(start, min(start + self.chunk_size, int(last)))
            yield Events(
                x=(numbers % 65_536).astype(np.uint16),
                y=(numbers // 65_536).astype(np.uint16),
                t_us=self.t_us[numbers],
                polarity=(numbers % 2).astype(np.uint8),
                num_dropped=self.num_dropped,
            )


class EventNumbers(Representation):
    """An "image" that is the numbers of its events, which `MemoryRecording` writes into x and y."""

    channels, dtype = 1, np.int64
    height, width = 1, -1

    @override
    def buffer(self) -> ImageBuffer:
        return ImageBuffer(np.zeros((1, 1, 0), np.int64))

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        assert np.all(events.polarity == events.x % 2)
        numbers = events.y.astype(np.int64) * 65_536 + events.x
        buffer.image = np.array(numbers, ndmin=3)


def numbers_in_windows(recording: Recording, plan: WindowPlan) -> list[list[int]]:
    return [image[0, 0].tolist() for image in encode(recording, plan, EventNumbers())]


def by_duration(stop_us: list[int], duration_us: int) -> WindowPlan:
    return WindowPlan(np.array(stop_us, np.int64), np.empty(0, np.int64), duration_us)


def by_count(stop_us: list[int], num_events: int) -> WindowPlan:
    return WindowPlan(np.array(stop_us, np.int64), np.empty(0, np.int64), None, num_events)


def test_a_window_holds_the_events_at_both_its_borders() -> None:
    recording = MemoryRecording(np.array([9, 10, 15, 20, 20, 21, 30]))

    assert numbers_in_windows(recording, by_duration([20, 30], 10)) == [[1, 2, 3, 4], [3, 4, 5, 6]]


def test_a_window_holds_the_last_events_before_its_end() -> None:
    recording = MemoryRecording(np.array([1, 2, 3, 4, 5, 6, 7, 8]))

    assert numbers_in_windows(recording, by_count([2, 4, 8], 3)) == [[0, 1], [1, 2, 3], [5, 6, 7]]


def test_windows_beyond_the_recording_are_empty() -> None:
    recording = MemoryRecording(np.array([100, 110]))

    assert numbers_in_windows(recording, by_duration([50, 110, 300], 20)) == [[], [0, 1], []]


def test_a_recording_is_read_once_and_no_further_than_needed() -> None:
    recording = MemoryRecording(np.arange(0, 1000, 10))

    list(encode(recording, by_duration([200, 300], 50), EventNumbers()))
    list(encode(recording, by_count([200, 300], 5), EventNumbers()))

    assert recording.spans_read == [(150, 301), (None, 301)]


def test_without_windows_nothing_is_read() -> None:
    recording = MemoryRecording(np.arange(10))

    assert numbers_in_windows(recording, by_duration([], 10)) == []
    assert recording.spans_read == []


def test_events_are_counted_with_those_outside_the_sensor() -> None:
    tally = Tally()
    recording = MemoryRecording(np.arange(10), chunk_size=5, num_dropped=2)

    list(encode(recording, by_duration([9], 9), EventNumbers(), tally))

    assert (tally.num_events, tally.num_dropped) == (14, 4)


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 200), max_size=60).map(sorted),
    st.lists(st.integers(1, 250), min_size=1, max_size=12, unique=True).map(sorted),
    st.integers(1, 80),
    st.integers(1, 20),
    st.sampled_from(["duration", "count"]),
)
def test_windows_hold_what_a_search_of_all_events_finds(
    times: list[int], stop_us: list[int], extent: int, chunk_size: int, extent_of: str
) -> None:
    t_us = np.array(times, np.int64)
    recording = MemoryRecording(t_us, chunk_size)

    if extent_of == "count":
        found = numbers_in_windows(recording, by_count(stop_us, extent))
        wanted = [np.flatnonzero(t_us <= stop)[-extent:].tolist() for stop in stop_us]
    else:
        found = numbers_in_windows(recording, by_duration(stop_us, extent))
        wanted = [
            np.flatnonzero((t_us >= stop - extent) & (t_us <= stop)).tolist() for stop in stop_us
        ]
    assert found == wanted


def peak_bytes(num_events: int) -> int:
    recording = MemoryRecording(np.arange(num_events) * 10, chunk_size=5000)
    stop_us = list(range(50_000, 10 * num_events, 50_000))
    represent = StackedHistogram(bins=2).build(8, 8)
    tracemalloc.start()
    for _ in encode(recording, by_duration(stop_us, 50_000), represent):
        pass
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_length_of_a_recording() -> None:
    peak_bytes(50_000)  # so that what is compiled and cached once does not count

    assert peak_bytes(2_000_000) < 1.2 * peak_bytes(200_000) + 300_000


@pytest.mark.parametrize("chunk_size", [1, 2, 1000])
def test_chunks_do_not_show(chunk_size: int) -> None:
    times = np.sort(np.random.default_rng(0).integers(0, 10_000, 500))
    plan = by_duration(list(range(700, 10_000, 350)), 500)

    found = numbers_in_windows(MemoryRecording(times, chunk_size), plan)

    assert found == numbers_in_windows(MemoryRecording(times, 77), plan)
