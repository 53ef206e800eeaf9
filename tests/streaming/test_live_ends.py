"""How live streams end, and silence."""

import itertools
import threading
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from tests.exported import ENCODING
from tests.streaming.moving import HEIGHT, WIDTH, moving, stream
from tests.streaming.watched import Watched, adds_up, wait_for, watched, watching, windows_of
from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.cutter import WindowCutter
from etram_pipeline.streaming.handover import Handover, WhenSlow
from etram_pipeline.streaming.live import LiveStream
from etram_pipeline.streaming.reading import Reader
from etram_pipeline.streaming.sources import Source, SourceCounts
from etram_pipeline.streaming.sources.reconnecting import ReconnectingSource

pytestmark = pytest.mark.timeout(120)

__all__ = ["watched"]  # a fixture


def test_what_a_source_raises_comes_after_what_it_gave(tmp_path: Path) -> None:
    def source() -> Iterator[Chunk]:
        yield from windows_of(moving(500_000))
        raise OSError("the cable is cut")

    live = LiveStream(stream(tmp_path), when_slow="wait")
    running = live.run(source())

    found = [next(running).result.stop_us for _ in range(9)]
    with pytest.raises(OSError, match="the cable is cut"):
        next(running)

    assert found == list(range(50_000, 500_000, 50_000))
    assert adds_up(live.report())


def test_an_error_of_the_detector_ends_the_reader(watched: Watched) -> None:
    closed = threading.Event()

    def fail() -> None:
        raise MemoryError

    live = LiveStream(watching(watched), when_slow="wait")
    watched.on_step = fail
    with pytest.raises(MemoryError):
        list(live.run(endless(closed)))

    wait_for(closed)
    assert adds_up(live.report())


def endless(closed: threading.Event) -> Iterator[Chunk]:
    """A source that never ends, and tells when it is closed."""
    events = moving(1_000_000)
    try:
        for number in itertools.count():
            later = events.copy()
            later["t"] += 1_000_000 * number
            yield from windows_of(later)[:-1]
    finally:
        closed.set()


@pytest.mark.parametrize("when_slow", ["wait", "newest"])
def test_a_consumer_that_stops_early_ends_the_reader(tmp_path: Path, when_slow: WhenSlow) -> None:
    closed = threading.Event()
    live = LiveStream(stream(tmp_path), when_slow=when_slow)
    running = live.run(endless(closed))

    next(running)
    running.close()

    wait_for(closed)
    report = live.report()
    assert adds_up(report)
    assert report.detected + report.held == 1


def test_an_interrupted_consumer_ends_the_reader(tmp_path: Path) -> None:
    closed = threading.Event()
    running = LiveStream(stream(tmp_path), when_slow="wait").run(endless(closed))
    next(running)

    with pytest.raises(KeyboardInterrupt):
        running.throw(KeyboardInterrupt())

    wait_for(closed)


class Silent(Source):
    """A source that gives a few events, and then waits until it is closed."""

    size = (HEIGHT, WIDTH)

    def __init__(self, stop_us: int) -> None:
        self.counts = SourceCounts(packets=1, lost=3)
        self._events, self._closed = moving(stop_us), threading.Event()

    @override
    def __iter__(self) -> Iterator[Chunk]:
        yield self._events
        wait_for(self._closed)

    @override
    def close(self) -> None:
        self._closed.set()


def test_a_source_that_waits_is_closed(tmp_path: Path) -> None:
    before = threading.active_count()
    live = LiveStream(stream(tmp_path), when_slow="wait")
    running = live.run(Silent(120_000))

    assert [next(running).result.stop_us for _ in range(2)] == [50_000, 100_000]
    running.close()

    assert threading.active_count() == before
    assert live.report().source == SourceCounts(packets=1, lost=3)


def test_windows_end_in_silence_by_the_clock_of_the_computer(tmp_path: Path) -> None:
    ticks = itertools.count()
    live = LiveStream(
        stream(tmp_path, hold=2),
        when_slow="wait",
        heartbeat_ms=40.0,
        clock=lambda: next(ticks) * 0.001,
    )
    running = live.run(Silent(120_000))

    found = [next(running).result for _ in range(8)]
    running.close()

    assert [each.stop_us for each in found] == list(range(50_000, 400_001, 50_000))
    assert [each.is_held for each in found] == [False] * 3 + [True] * 5
    assert len(found[3].detections) == len(found[2].detections) > 0
    assert len(found[7].detections) == 0
    assert live.report().late == 0


def test_memory_does_not_grow_in_silence() -> None:
    reader = Reader(WindowCutter(ENCODING, 32, 64), Handover("newest", 1), time.perf_counter)
    event = np.zeros(1, [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])
    used = []

    def source() -> Iterator[Chunk]:
        yield event
        for until_us in range(0, 4_000_000, 1000):
            if until_us in {500_000, 3_900_000}:
                used.append(tracemalloc.get_traced_memory()[0])
            yield until_us

    tracemalloc.start()
    try:
        reader.read(source())
    finally:
        tracemalloc.stop()
    assert used[1] - used[0] < 100_000


def test_a_camera_that_disappears_and_returns_is_told_and_counted(tmp_path: Path) -> None:
    events = moving(220_000)

    class Failing(Silent):
        """A source that fails after its events."""

        @override
        def __iter__(self) -> Iterator[Chunk]:
            yield events
            raise SourceError("the cable is cut")

    opened = iter([Failing(0), Failing(0), Silent(220_000)])
    source = ReconnectingSource(lambda: next(opened), first_wait_s=1e-6)
    live = LiveStream(stream(tmp_path), when_slow="wait")
    running = live.run(source)

    found = [next(running).result for _ in range(14)]
    running.close()

    assert [each.stop_us for each in found] == 2 * [*range(50_000, 250_001, 50_000)] + [
        *range(50_000, 200_001, 50_000)
    ]
    assert [number for number, each in enumerate(found) if each.is_start] == [0, 5, 10]
    report = live.report()
    assert (report.restarts, report.source.reconnects, report.source.lost) == (2, 2, 9)
