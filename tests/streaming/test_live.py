"""Live streams: what is left out, and how old boxes are."""

import itertools
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.streaming.moving import moving, results, stream, together
from tests.streaming.streams import parts
from tests.streaming.watched import Watched, adds_up, wait_for, watched, watching, windows_of

from etram_pipeline.core.errors import TooSlowError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.handover import WhenSlow
from etram_pipeline.streaming.live import LiveReport, LiveResult, LiveStream

pytestmark = pytest.mark.timeout(120)

__all__ = ["watched"]  # a fixture


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
    watched: Watched, chunks: list[Any], room: int = 1
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
    found: list[LiveResult] = []
    with pytest.raises(TooSlowError, match="2 windows of 2 at most wait"):
        found.extend(live.run(source()))

    assert adds_up(live.report())
    assert live.report().skipped == 0


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
