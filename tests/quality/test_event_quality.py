"""Statistics of events, against an obvious computation over all of them at once."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.core.recording import Events
from etram_pipeline.quality.event_quality import (
    NUM_BINS,
    EventQuality,
    EventStatistics,
    HotPixel,
    LastEvents,
)
from etram_pipeline.quality.settings import QualitySettings

HEIGHT, WIDTH = 7, 9
SETTINGS = QualitySettings()


def events_at(t_us: list[int], seed: int = 0, **counts: int) -> Events:
    rng = np.random.default_rng(seed)
    num = len(t_us)
    return Events(
        x=rng.integers(0, WIDTH, num).astype(np.uint16),
        y=rng.integers(0, HEIGHT, num).astype(np.uint16),
        t_us=np.array(t_us, np.int64),
        polarity=rng.integers(0, 2, num).astype(np.uint8),
        **counts,
    )


def pieces(events: Events, cuts: list[int]) -> list[Events]:
    borders = [0, *sorted(cut % (len(events) + 1) for cut in cuts), len(events)]
    return [events.slice(first, last) for first, last in pairwise(borders)]


def statistics_of(*chunks: Events, height: int = HEIGHT, width: int = WIDTH) -> EventQuality:
    statistics = EventStatistics(height, width, SETTINGS)
    for chunk in chunks:
        statistics.add(chunk)
    return statistics.result()


def at_pixels(*pixels: tuple[int, int, int], duration_us: int = 10_000_000) -> Events:
    """Events spread over a time, `count` of them at each `x, y`."""
    x = np.concatenate([np.full(count, x) for x, _, count in pixels])
    y = np.concatenate([np.full(count, y) for _, y, count in pixels])
    t_us = np.linspace(0, duration_us, len(x)).astype(np.int64)
    order = np.random.default_rng(0).permutation(len(x))
    polarity = np.zeros(len(x), np.uint8)
    return Events(x[order].astype(np.uint16), y[order].astype(np.uint16), t_us, polarity)


times = st.lists(
    st.one_of(
        st.integers(0, 200),
        st.integers(0, 60_000),
        st.integers(0, 2_000_000),
        st.sampled_from([0, 50_000, 50_001]),
    ),
    max_size=80,
).map(lambda distances: np.cumsum(distances).tolist())


@settings(max_examples=150, deadline=None)
@given(times, st.lists(st.integers(0, 100), max_size=5), st.integers(0, 9))
def test_statistics_do_not_depend_on_how_the_events_are_cut_into_chunks(
    t_us: list[int], cuts: list[int], seed: int
) -> None:
    events = events_at(t_us, seed)
    assert statistics_of(*pieces(events, cuts)) == statistics_of(events)


@settings(max_examples=150, deadline=None)
@given(times, st.integers(0, 9))
def test_statistics_are_those_of_an_obvious_computation(t_us: list[int], seed: int) -> None:
    events = events_at(t_us, seed)
    found = statistics_of(events)
    distances = np.diff(events.t_us)
    gaps = distances[distances > 50_000]
    assert (found.num_kept, found.num_rising) == (len(events), int(events.polarity.sum()))
    assert (found.num_gaps, found.gaps_us) == (len(gaps), int(gaps.sum()))
    assert found.longest_gap_us == gaps.max(initial=0)
    if len(gaps):
        assert found.longest_gap_start_us == events.t_us[np.argmax(distances)]
    bins = (events.t_us - (t_us[0] if t_us else 0)) // found.bin_us
    assert found.events_of_bin == tuple(np.bincount(bins).tolist())
    least = 1024
    while t_us and (t_us[-1] - t_us[0]) // least >= NUM_BINS:
        least *= 2
    assert found.bin_us == least


@settings(max_examples=150, deadline=None)
@given(times, times, st.lists(st.integers(0, 100), max_size=5))
def test_last_events_are_found_however_the_events_are_cut(
    t_us: list[int], asked_us: list[int], cuts: list[int]
) -> None:
    events = events_at(t_us)
    moments_us = np.unique(np.array(asked_us, np.int64))
    last_events = LastEvents(moments_us)
    for piece in pieces(events, cuts):
        last_events.add(piece)
    wanted = [max((t for t in t_us if t <= moment), default=-1) for moment in moments_us]
    assert last_events.result().tolist() == wanted


def test_what_was_left_out_is_counted_over_all_chunks() -> None:
    first = events_at([5, 6], num_dropped=3, num_late=1, num_early=4)
    found = statistics_of(first, events_at([], num_dropped=2), events_at([9], num_late=1))
    assert (found.num_events, found.num_kept) == (12, 3)
    assert (found.num_dropped, found.num_early, found.num_late) == (5, 4, 2)
    assert (found.start_us, found.last_us) == (5, 9)


def test_a_recording_without_events_has_no_rate_and_no_side() -> None:
    found = statistics_of(events_at([], num_dropped=7))
    assert (found.num_events, found.num_kept, found.events_of_bin) == (7, 0, ())
    assert (found.rate_hz, found.rising_share, found.duration_us) == (0, 0.5, 0)


def test_memory_does_not_grow_with_the_time_between_events() -> None:
    found = statistics_of(events_at([3, 2**62]))
    assert len(found.events_of_bin) <= NUM_BINS
    assert sum(found.events_of_bin) == 2
    assert found.longest_gap_us == 2**62 - 3


def test_a_gap_is_longer_than_the_setting_and_not_as_long() -> None:
    found = statistics_of(events_at([0, 50_000, 100_001, 100_002]))
    assert (found.num_gaps, found.gaps_us, found.longest_gap_start_us) == (1, 50_001, 50_000)


def test_a_pixel_that_fires_all_the_time_is_hot_and_told_with_its_rate() -> None:
    background = [(x, y, 3) for x in range(WIDTH) for y in range(HEIGHT)]
    found = statistics_of(at_pixels(*background, (4, 2, 500)))
    assert found.hottest == (HotPixel(x=4, y=2, rate_hz=50.3),)
    assert (found.num_hot_pixels, found.num_hot_events) == (1, 503)


def test_hot_pixels_side_by_side_and_in_a_corner_are_found() -> None:
    found = statistics_of(at_pixels((0, 0, 900), (5, 5, 400), (6, 5, 300)))
    assert [(hot.x, hot.y) for hot in found.hottest] == [(0, 0), (5, 5), (6, 5)]


@pytest.mark.parametrize(
    "busy",
    [
        pytest.param([(x, 3, 500) for x in range(WIDTH)], id="an edge of one pixel"),
        pytest.param([(x, y, 500) for x in (4, 5) for y in (3, 4)], id="a lamp of four pixels"),
    ],
)
def test_what_covers_several_pixels_is_not_hot(busy: list[tuple[int, int, int]]) -> None:
    assert statistics_of(at_pixels(*busy)).num_hot_pixels == 0


def test_a_pixel_is_not_hot_for_a_few_events_of_a_short_recording() -> None:
    events = at_pixels((4, 2, 49), (0, 0, 1), duration_us=1000)
    assert statistics_of(events).num_hot_pixels == 0


def test_only_the_worst_of_many_hot_pixels_are_listed() -> None:
    lone = [(4 * column, 4 * row, 300 + column) for column in range(5) for row in range(4)]
    found = statistics_of(at_pixels(*lone), height=20, width=20)
    assert found.num_hot_pixels == 20
    assert len(found.hottest) == 8
    rates = [hot.rate_hz for hot in found.hottest]
    assert rates == sorted(rates, reverse=True)


def test_quality_survives_being_written_and_read() -> None:
    found = statistics_of(at_pixels((4, 2, 500)))
    assert EventQuality.model_validate_json(found.model_dump_json()) == found
