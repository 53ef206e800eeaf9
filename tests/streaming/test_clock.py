"""Streams whose clock jumps, and whose times are wrong."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.streams import (
    EVENT_REST,
    STEPS_US,
    cut,
    cutter,
    events_at,
    parts,
)

from etram_pipeline.streaming.chunks import NEW_CLOCK

WILD_STEPS_US = STEPS_US | st.sampled_from([-(10**12), 3_000_000, 10**9, -(10**9)])


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.tuples(WILD_STEPS_US, st.integers(1, 4)), max_size=30),
    st.lists(st.integers(0, 12), max_size=30),
)
def test_chunks_do_not_show_where_clocks_jump_and_times_are_wrong(
    steps: list[tuple[int, int]], sizes: list[int]
) -> None:
    times = np.cumsum([step for step, number in steps for _ in range(number)], dtype=np.int64)
    events = events_at(np.concatenate([times, times // 2, times]), margin=1)
    one, other = cutter(), cutter()

    found, wanted = list(cut(one, parts(events, sizes))), list(cut(other, [events]))

    assert one.counts == other.counts
    assert [(w.stop_us, w.is_start, w.last_us) for w in found] == [
        (w.stop_us, w.is_start, w.last_us) for w in wanted
    ]
    for window, other_window in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(window.image, other_window.image)


def test_a_wild_event_is_left_out() -> None:
    times = np.arange(0, 200_000, 100)
    times[700], times[900] = 10**12, -(10**12)
    cutting = cutter()

    found = list(cut(cutting, [events_at(times)]))

    assert [window.stop_us for window in found] == [50_000, 100_000, 150_000, 200_000]
    assert (cutting.counts.num_wild, cutting.counts.num_restarts) == (2, 0)
    assert cutting.counts.num_events == len(times)


def test_a_wild_event_at_the_start_is_left_out() -> None:
    cutting = cutter()

    found = list(cut(cutting, [events_at([10**12, *range(0, 40_000, 100)])]))

    assert [window.stop_us for window in found] == [50_000]
    assert (cutting.counts.num_wild, cutting.counts.num_restarts) == (1, 0)


@pytest.mark.parametrize("start_us", [100, 10**9])
def test_windows_begin_anew_with_a_new_clock(start_us: int) -> None:
    cutting = cutter()
    old, new = range(5_000_000, 5_070_000, 100), range(start_us, start_us + 70_000, 100)

    found = list(cut(cutting, parts(events_at([*old, *new]), [50] * 100)))

    stops = [5_050_000, 5_100_000]
    first = start_us // 50_000 * 50_000
    assert [window.stop_us for window in found] == [*stops, first + 50_000, first + 100_000]
    assert [window.is_start for window in found] == [True, False, True, False]
    assert (cutting.counts.num_restarts, cutting.counts.num_wild) == (1, 0)
    assert sum(window.num_events for window in found) >= len(old) + len(new)


def test_a_source_can_tell_that_a_new_clock_begins() -> None:
    cutting = cutter()
    events = events_at(range(60_000, 90_000, 100))

    found = list(cut(cutting, [events, NEW_CLOCK, events_at(range(0, 20_000, 100))]))

    assert [(window.stop_us, window.is_start) for window in found] == [
        (100_000, True),
        (50_000, True),
    ]
    assert cutting.counts.num_restarts == 1


def test_a_clock_of_32_bits_goes_on() -> None:
    times = np.arange(2**32 - 70_000, 2**32 + 70_000, 100)
    times[705] = 2**32 - 50  # late, from before the clock began anew
    wide, narrow = events_at(times), events_at(times)
    narrow = narrow.astype([("t", "<u4"), *EVENT_REST])
    cutting, other = cutter(), cutter()

    found, wanted = list(cut(cutting, parts(narrow, [333] * 4))), list(cut(other, [wide]))

    assert [window.stop_us for window in found] == [window.stop_us for window in wanted]
    assert cutting.counts == other.counts
    assert cutting.counts.num_late == 1
    for window, other_window in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(window.image, other_window.image)


def test_times_beyond_all_limits_are_wild() -> None:
    events = np.zeros(402, [("timestamp", "<u8"), *EVENT_REST])
    events["timestamp"][:400] = range(0, 40_000, 100)
    events["timestamp"][200], events["timestamp"][400:] = 2**64 - 1, 2**63
    cutting = cutter()

    (window,) = cut(cutting, [events])

    assert (window.num_events, cutting.counts.num_wild) == (399, 3)


@pytest.mark.parametrize("until_us", [10**15, 2**62, -(10**15), -5_000_000])
def test_a_time_far_away_cuts_no_windows_until_then(until_us: int) -> None:
    cutting = cutter()
    list(cutting.push(events_at(range(0, 20_000, 100))))

    assert [window.stop_us for window in cutting.advance(until_us)] == [50_000]
    found = list(cut(cutting, [events_at(range(100_000, 120_000, 100))]))
    assert [(window.stop_us, window.is_start) for window in found] == [(150_000, True)]
    assert (cutting.counts.num_restarts, cutting.counts.num_wild) == (1, 0)


def test_a_long_silence_is_skipped() -> None:
    cutting = cutter()
    events = events_at([*range(0, 20_000, 100), *range(9_000_000, 9_020_000, 100)])

    found = list(cut(cutting, [events]))

    assert [window.stop_us for window in found] == [50_000, 9_050_000]
    assert [window.is_start for window in found] == [True, True]
    assert cutting.counts.num_wild == 0


def test_the_limit_of_a_jump_is_positive() -> None:
    with pytest.raises(ValueError, match="jump_us"):
        cutter(jump_us=0)
