"""Changes of events: small cases by hand, and what holds for every change."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.events.in_memory import (
    HEIGHT,
    STOP_US,
    WIDTH,
    Chunks,
    change,
    events_at,
    random_events,
    read,
    rows,
)

from etram_pipeline.core.component import kinds
from etram_pipeline.events import changes
from etram_pipeline.events.changed import ChangedRecording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import joined

STRONG: dict[str, dict[str, Any]] = {
    "background_activity": {"rate_hz": 40},
    "bursts": {"share": 0.4, "length_ms": 30},
    "clock_jitter": {"deviation_ms": 20},
    "drop": {"share": 0.5},
    "hot_pixels": {"share": 0.1, "rate_hz": 300},
    "night": {"contrast_divided_by": 2, "noise_hz": 20},
    "polarity_lost": {"share": 0.5, "replaced_by": "random"},
    "resolution": {"block_px": 2},
}
NOTHING: dict[str, dict[str, Any]] = {
    "background_activity": {"rate_hz": 0},
    "bursts": {"share": 0},
    "clock_jitter": {"deviation_ms": 0},
    "drop": {"share": 0},
    "hot_pixels": {"share": 0},
    "night": {"contrast_divided_by": 1, "noise_hz": 0},
    "polarity_lost": {"share": 0},
    "resolution": {"block_px": 1},
}


def strong(kind: str) -> EventChange:
    return change(kind, **STRONG[kind])


EACH = pytest.mark.parametrize("kind", kinds(changes.__name__))


@EACH
@settings(max_examples=10, deadline=None)
@given(
    st.integers(0, 400),
    st.lists(st.integers(0, 400), max_size=12),
    st.tuples(st.integers(0, STOP_US), st.integers(0, STOP_US)),
)
def test_neither_chunks_nor_where_reading_begins_matter(
    kind: str, number: int, cuts: list[int], ends: tuple[int, int]
) -> None:
    events = random_events(number)
    whole = read(Chunks(events), strong(kind), (0, STOP_US))
    assert np.array_equal(read(Chunks(events, cuts), strong(kind), (0, STOP_US)), whole)
    start_us, stop_us = sorted(ends)
    part = read(Chunks(events, cuts), strong(kind), (start_us, stop_us))
    inside = (whole[:, 0] >= start_us) & (whole[:, 0] < stop_us)
    assert np.array_equal(part, whole[inside])


@EACH
def test_events_stay_in_order_and_inside_sensor_and_recording(kind: str) -> None:
    recording = Chunks(random_events(2000), cuts=range(0, 2000, 300))
    t_us, x, y, polarity = read(recording, strong(kind)).T
    assert len(t_us) > 100
    assert (np.diff(t_us) >= 0).all()
    assert t_us.min() >= recording.start_us
    assert t_us.max() < recording.stop_us
    assert x.min() >= 0
    assert x.max() < WIDTH
    assert y.max() < HEIGHT
    assert set(polarity.tolist()) <= {0, 1}


@EACH
def test_the_seed_decides(kind: str) -> None:
    recording = Chunks(random_events(2000))
    found = read(recording, strong(kind), seed=3)
    assert np.array_equal(found, read(recording, strong(kind), seed=3))
    differs = not np.array_equal(found, read(recording, strong(kind), seed=4))
    assert differs == (kind != "resolution")


@EACH
def test_the_least_severity_changes_nothing(kind: str) -> None:
    events = random_events(1000)
    assert np.array_equal(read(Chunks(events, [200]), change(kind, **NOTHING[kind])), rows(events))


@EACH
def test_a_recording_without_events_stays_so(kind: str) -> None:
    assert len(read(Chunks(random_events(0)), strong(kind))) == 0


@EACH
def test_changed_recordings_differ_in_name_and_identity(kind: str) -> None:
    recording, what = Chunks(random_events(10)), strong(kind)
    changed = ChangedRecording(recording, what, 3)
    assert changed.__fingerprint__() != recording.__fingerprint__()
    assert changed.__fingerprint__() != ChangedRecording(recording, what, 4).__fingerprint__()
    assert (changed.height, changed.width, changed.num_events) == (HEIGHT, WIDTH, 10)
    assert what.name.startswith(kind)
    assert what.severity > change(kind, **NOTHING[kind]).severity


def test_the_share_of_lost_events_is_as_told() -> None:
    recording = Chunks(random_events(20_000))
    for share in (0.2, 0.9):
        lost = 1 - len(read(recording, change("drop", share=share))) / 20_000
        assert lost == pytest.approx(share, abs=0.015)  # five standard deviations
    assert len(read(recording, change("drop", share=1))) == 0


def test_weaker_losses_keep_what_stronger_ones_keep() -> None:
    recording = Chunks(random_events(2000))
    few, many = (read(recording, change("drop", share=share)) for share in (0.7, 0.3))
    assert {*map(tuple, few.tolist())} < {*map(tuple, many.tolist())}


def test_bursts_take_all_events_of_an_interval_and_none_of_others() -> None:
    """With an event every 5 ms, each interval of 30 ms has six."""
    recording = Chunks(events_at(*((5 * number, 1, 1, 1) for number in range(200))))
    t_us = read(recording, change("bursts", share=0.5, length_ms=30))[:, 0]
    is_there = np.isin(np.arange(0, STOP_US, 5000), t_us)
    edges = np.flatnonzero(np.diff(is_there))
    assert len(edges) > 5
    assert set((np.diff(edges) % 6).tolist()) == {0}
    assert len(read(recording, change("bursts", share=1))) == 0


@pytest.mark.parametrize(
    ("what", "per_second"),
    [
        (change("background_activity", rate_hz=40), 40 * HEIGHT * WIDTH),
        (change("hot_pixels", share=6 / (HEIGHT * WIDTH), rate_hz=300), 300 * 6),
        (change("night", contrast_divided_by=100, noise_hz=50), 50 * HEIGHT * WIDTH),
    ],
)
def test_noise_is_of_the_rate_that_is_told(what: EventChange, per_second: int) -> None:
    silent = Chunks(events_at((0, 0, 0, 1), (999, 0, 0, 1)))
    number = len(read(silent, what))
    assert abs(number - per_second) < 5 * np.sqrt(per_second) + 2


def test_hot_pixels_are_always_the_same_and_rise() -> None:
    silent = Chunks(events_at((0, 0, 0, 0), (999, 0, 0, 0)))
    found = read(silent, change("hot_pixels", share=0.05, rate_hz=300))[1:-1]
    early, late = found[found[:, 0] < STOP_US // 2], found[found[:, 0] >= STOP_US // 2]
    places = {(x, y) for _, x, y, _ in early.tolist()}
    assert places == {(x, y) for _, x, y, _ in late.tolist()}
    assert len(places) == round(0.05 * HEIGHT * WIDTH)
    assert set(found[:, 3].tolist()) == {1}


def test_background_activity_is_in_all_pixels_with_both_polarities() -> None:
    silent = Chunks(events_at((0, 0, 0, 0), (999, 0, 0, 0)))
    found = read(silent, change("background_activity", rate_hz=40))
    per_pixel = np.bincount(found[:, 2] * WIDTH + found[:, 1], minlength=HEIGHT * WIDTH)
    assert per_pixel.min() > 10
    assert np.mean(found[:, 3]) == pytest.approx(0.5, abs=0.05)


def test_lost_polarities_become_rising_or_random() -> None:
    recording = Chunks(random_events(10_000))
    before = rows(random_events(10_000))
    rising = read(recording, change("polarity_lost"))
    assert np.array_equal(rising[:, :3], before[:, :3])
    assert set(rising[:, 3].tolist()) == {1}
    chance = read(recording, change("polarity_lost", replaced_by="random"))
    assert np.mean(chance[:, 3] == before[:, 3]) == pytest.approx(0.5, abs=0.03)
    half = read(recording, change("polarity_lost", share=0.5))
    assert np.mean(half[:, 3] > before[:, 3]) == pytest.approx(0.25, abs=0.03)


def test_the_middle_pixel_stands_for_its_block() -> None:
    """Blocks of 2 begin at even pixels; the last column and row are blocks of their own."""
    recording = Chunks(events_at((1, 2, 2, 1), (2, 3, 3, 0), (3, 8, 6, 1)))
    found = read(recording, change("resolution", block_px=2))
    in_block = [[2000, x, y, 0] for y in (2, 3) for x in (2, 3)]
    assert found.tolist() == [*in_block, [3000, 8, 6, 1]]
    one_block = read(
        Chunks(events_at((1, 4, 4, 1), (2, 5, 4, 0))), change("resolution", block_px=9)
    )
    assert len(one_block) == HEIGHT * WIDTH
    assert {*one_block[:, 0].tolist()} == {1000}


def test_jitter_is_normal_of_the_deviation_that_is_told() -> None:
    number = 6_000
    far_from_ends = events_at(*((500, n % WIDTH, n // WIDTH % HEIGHT, 1) for n in range(63)))
    spread = np.concatenate(
        [
            read(
                Chunks(joined([events_at((0, 0, 0, 1)), far_from_ends, events_at((999, 0, 0, 1))])),
                change("clock_jitter", deviation_ms=20),
                (100_000, 900_000),
                seed,
            )[:, 0]
            for seed in range(number // 63)
        ]
    )
    moved_ms = (spread - 500_000) / 1000
    assert abs(moved_ms.mean()) < 1
    assert moved_ms.std() == pytest.approx(20, rel=0.05)
    assert np.abs(moved_ms).max() <= 60
    assert np.mean(np.abs(moved_ms) < 20) == pytest.approx(0.683, abs=0.03)


def test_by_night_a_pixel_needs_several_events_of_one_sign() -> None:
    rising = [(10 + number, 1, 1, 1) for number in range(5)]
    falling = [(20, 1, 1, 0), (21, 1, 1, 0)]
    other = [(30, 2, 1, 1), (31, 2, 1, 0), (32, 2, 1, 1), (33, 2, 1, 1)]
    later = [(110, 2, 1, 1)]  # 33 ms and 110 ms are in different slots of 100 ms
    recording = Chunks(events_at(*rising, *falling, *other, *later))
    found = read(recording, change("night", contrast_divided_by=2, noise_hz=0))
    # The fifth rise is taken back by the first fall; 2 and 1 make two again at 33 ms.
    assert found.tolist() == [[11_000, 1, 1, 1], [13_000, 1, 1, 1], [33_000, 2, 1, 1]]


@pytest.mark.parametrize(
    ("fields", "complaint"),
    [
        ({"kind": "drop", "share": 1.5}, "less than or equal to 1"),
        ({"kind": "resolution", "block_px": 0}, "greater than or equal to 1"),
        ({"kind": "fog"}, "unknown kind 'fog'"),
        ({"kind": "polarity_lost", "replaced_by": "none"}, "'rising' or 'random'"),
        ({"kind": "bursts", "lenght_ms": 5}, "did you mean 'length_ms'"),
    ],
)
def test_changes_that_cannot_be_are_refused(fields: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValidationError, match=complaint):
        EventChange.model_validate(fields)
