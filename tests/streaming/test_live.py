"""Live streams: what is left out, how old boxes are, and how reading ends."""

import itertools
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jaxtyping import Integer
from tests.exported import ENCODING, describe, write_exported
from tests.streaming.moving import HEIGHT, SUPPRESSION, WIDTH, moving, results, stream, together
from tests.streaming.streams import Table, parts
from typing_extensions import override

from etram_pipeline.core.errors import TooSlowError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.handover import WhenSlow
from etram_pipeline.streaming.live import LiveReport, LiveResult, LiveStream
from etram_pipeline.streaming.model import ExportedModel
from etram_pipeline.streaming.selection import RawPredictions
from etram_pipeline.streaming.sources import Source, SourceCounts
from etram_pipeline.streaming.stream import DetectionStream

pytestmark = pytest.mark.timeout(120)

PATIENCE_S = 60


class Watched(ExportedModel):
    """The small detector; does something whenever it detects."""

    on_step: Callable[[], object] = staticmethod(lambda: None)

    @override
    def step(self, frames: Integer[np.ndarray, "B C H W"]) -> RawPredictions:
        self.on_step()
        return super().step(frames)


@pytest.fixture
def watched(tmp_path: Path) -> Watched:
    about = describe(HEIGHT // 2, WIDTH // 2, encoding=ENCODING, downsampled_by=2)
    return Watched(write_exported(tmp_path / "watched.onnx", about))


def watching(model: Watched, hold: int = 5) -> DetectionStream:
    return DetectionStream(model, HEIGHT, WIDTH, suppression=SUPPRESSION, hold=hold)


def wait_for(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S), "the other thread does not come this far"


def windows_of(events: Table) -> list[Table]:
    """The events of each window, so that a chunk completes the window before it."""
    borders = np.arange(50_000, int(events["t"][-1]) + 50_000, 50_000)
    return np.split(events, np.searchsorted(events["t"], borders, side="right")[:-1])


def adds_up(report: LiveReport) -> bool:
    known = report.detected + report.held + report.skipped + report.unread
    return report.windows == known


def test_a_source_that_waits_loses_nothing(tmp_path: Path) -> None:
    events = moving(1_000_000)
    live = LiveStream(stream(tmp_path), when_slow="wait")

    found = list(live.run(parts(events, [700] * 20)))

    wanted = results(stream(tmp_path), [events])
    assert [each.result.stop_us for each in found] == [each.stop_us for each in wanted]
    np.testing.assert_array_equal(together(each.result for each in found), together(wanted))
    report = live.report()
    assert (report.windows, report.detected, report.skipped, report.unread) == (20, 20, 0, 0)
    assert report.events == len(events)
    assert all(each.waited_ms >= 0 and each.computed_ms > 0 for each in found)


def skipping(
    watched: Watched, chunks: list[Chunk], room: int = 1
) -> tuple[list[LiveResult], LiveReport]:
    """Results of a detector that is busy with the first window while all others come."""
    begun, all_read = threading.Event(), threading.Event()
    last_us = int(chunks[-1]["t"][-1])

    def step() -> None:
        begun.set()
        wait_for(all_read)

    def source() -> Iterator[Chunk]:
        yield from chunks[:2]
        wait_for(begun)
        yield from chunks[2:]
        yield last_us // 50_000 * 50_000 + 50_001  # so that the last window has come before
        all_read.set()

    live = LiveStream(watching(watched), room=room)
    watched.on_step = step
    found = list(live.run(source()))
    return found, live.report()


@pytest.mark.parametrize("room", [1, 3])
def test_the_windows_that_wait_longest_are_left_out(watched: Watched, room: int) -> None:
    found, report = skipping(watched, list(windows_of(moving(1_000_000))), room)

    last = [1_000_000 - 50_000 * back for back in reversed(range(room))]
    assert [each.result.stop_us for each in found] == [50_000, *last]
    assert [each.num_skipped for each in found] == [0, 19 - room, *[0] * (room - 1)]
    assert (report.windows, report.detected, report.skipped) == (20, 1 + room, 19 - room)
    assert adds_up(report)


@pytest.mark.parametrize(("stop_us", "num_forgotten"), [(1_000_000, 0), (1_100_000, 1)])
def test_memory_is_emptied_when_a_second_is_missing(
    watched: Watched, stop_us: int, num_forgotten: int
) -> None:
    _, report = skipping(watched, list(windows_of(moving(stop_us))))

    assert report.skipped == stop_us // 50_000 - 2
    assert report.forgotten == num_forgotten


def test_a_new_clock_shows_even_if_its_first_window_is_left_out(watched: Watched) -> None:
    chunks = windows_of(moving(300_000))

    found, report = skipping(watched, [*chunks, NEW_CLOCK, *chunks])

    assert [each.result.is_start for each in found] == [True, True]
    assert [each.result.stop_us for each in found] == [50_000, 300_000]
    assert (report.restarts, report.forgotten) == (1, 0)


def test_a_detector_that_is_too_slow_can_be_an_error(watched: Watched) -> None:
    failed = threading.Event()
    watched.on_step = lambda: wait_for(failed)

    def source() -> Iterator[Chunk]:
        try:
            yield from windows_of(moving(1_000_000))
        finally:
            failed.set()

    live = LiveStream(watching(watched), when_slow="fail", room=2)
    found = []
    with pytest.raises(TooSlowError, match="2 windows of 2 at most wait"):
        found.extend(live.run(source()))

    assert adds_up(live.report())
    assert live.report().skipped == 0


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
    assert report.detected >= 1


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
        stream(tmp_path, hold=2), heartbeat_ms=40.0, clock=lambda: next(ticks) * 0.001
    )
    running = live.run(Silent(120_000))

    found = [next(running).result for _ in range(8)]
    running.close()

    assert [each.stop_us for each in found] == list(range(50_000, 400_001, 50_000))
    assert [each.is_held for each in found] == [False] * 3 + [True] * 5
    assert len(found[3].detections) == len(found[2].detections) > 0
    assert len(found[7].detections) == 0
    assert live.report().late == 0


def test_latency_is_told_in_parts(watched: Watched) -> None:
    now, seen = [0.0], threading.Event()
    early, late = np.split(moving(100_000), [600])
    late["t"] += 50_000
    early["t"][-1] = 49_000

    def source() -> Iterator[Chunk]:
        now[0] = 10.0
        yield early
        now[0] = 10.5
        yield late
        wait_for(seen)

    def step() -> None:
        now[0] += 0.75

    live = LiveStream(watching(watched), when_slow="wait", clock=lambda: now[0])
    watched.on_step = step
    running = live.run(source())
    first = next(running)
    seen.set()
    running.close()

    assert (first.gathered_ms, first.waited_ms, first.computed_ms) == (500, 0, 750)
    assert first.latency_ms == 1250


def told(story: list[str]) -> Iterator[Chunk]:
    """A source to which all this happens."""
    time_us = 0
    for step in story:
        if step == "events":
            yield from parts(moving(time_us + 220_000, time_us), [300] * 9)
            time_us += 220_000
        elif step == "silence":
            time_us += 170_000
            yield time_us
        elif step == "clock":
            time_us = 0
            yield NEW_CLOCK
        elif step == "error":
            raise ConnectionError


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.sampled_from(["wait", "newest", "fail"]),
    st.integers(1, 3),
    st.integers(0, 3),
    st.lists(st.sampled_from(["events", "silence", "clock", "stop", "error"]), max_size=12),
)
def test_numbers_add_up_whatever_comes(
    watched: Watched, when_slow: WhenSlow, room: int, hold: int, story: list[str]
) -> None:
    live = LiveStream(watching(watched, hold), when_slow=when_slow, room=room)
    running = live.run(told(story))
    found: list[LiveResult] = []
    with suppress(TooSlowError, ConnectionError):
        found.extend(itertools.islice(running, 3 if "stop" in story else None))
    running.close()

    report = live.report()
    assert adds_up(report)
    assert len(found) <= report.detected + report.held
    assert report.skipped == 0 or when_slow == "newest"


@pytest.mark.parametrize("options", [{"room": 0}, {"heartbeat_ms": 0.0}])
def test_choices_are_checked(tmp_path: Path, options: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"room|heartbeat"):
        LiveStream(stream(tmp_path), **options)  # type: ignore[arg-type]
