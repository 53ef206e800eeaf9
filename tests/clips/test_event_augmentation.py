"""Changes of events."""

from typing import Any

import numpy as np
import pytest
from jaxtyping import UInt8

from etram_pipeline.clips.event_augmentation import (
    EventAugmentationSettings,
    EventChanges,
    HistogramLayout,
)
from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.settings import EncodingSettings

BINS, HEIGHT, WIDTH = 5, 30, 40
LAYOUT = HistogramLayout(BINS, max_count=10)

Histograms = UInt8[np.ndarray, "T C H W"]


def changed(frames: Histograms, **changes: Any) -> Histograms:  # noqa: ANN401  # of any field
    before = frames.copy()
    after = EventChanges(**changes).apply(frames, LAYOUT, np.random.default_rng(0))
    np.testing.assert_array_equal(frames, before)
    assert (after.shape, after.dtype) == (frames.shape, frames.dtype)
    return after


def by_bin(frames: Histograms) -> np.ndarray:
    """Events of each polarity and part of the window."""
    counts: np.ndarray = frames.reshape(len(frames), 2, BINS, -1).sum((0, 3), dtype=np.int64)
    return counts


@pytest.fixture
def frames() -> Histograms:
    """Counts of up to 3 in a quarter of the cells."""
    rng = np.random.default_rng(7)
    shape = (3, 2 * BINS, HEIGHT, WIDTH)
    return (rng.integers(1, 4, shape) * (rng.random(shape) < 0.25)).astype(np.uint8)


def test_without_changes_the_same_frames_are_handed_on(frames: Histograms) -> None:
    assert EventChanges().apply(frames, LAYOUT, np.random.default_rng(0)) is frames


@pytest.mark.parametrize("polarity", [0, 1])
def test_a_suppressed_polarity_has_no_events_and_the_other_one_keeps_all(
    polarity: int, frames: Histograms
) -> None:
    after = changed(frames, suppressed=polarity).reshape(3, 2, BINS, HEIGHT, WIDTH)
    before = frames.reshape(3, 2, BINS, HEIGHT, WIDTH)
    assert not after[:, polarity].any()
    np.testing.assert_array_equal(after[:, 1 - polarity], before[:, 1 - polarity])


def test_noise_does_not_bring_a_suppressed_polarity_back(frames: Histograms) -> None:
    after = changed(frames, suppressed=1, noise=0.5)
    assert not after[:, BINS:].any()
    assert after[:, :BINS].sum() > frames[:, :BINS].sum()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_each_event_is_dropped_with_the_same_chance(share: float, frames: Histograms) -> None:
    after = changed(frames, drop=share)
    assert (after <= frames).all()
    for count in (1, 2, 3):
        events = count * (frames == count).sum()
        spread = 5 * np.sqrt(events * share * (1 - share))
        kept = after[frames == count].sum()
        assert kept == pytest.approx(events * (1 - share), abs=spread)
    alone = after[frames == 3] == 1
    assert alone.mean() == pytest.approx(3 * share**2 * (1 - share), abs=0.04)


def test_dropping_everything_leaves_nothing(frames: Histograms) -> None:
    assert not changed(frames, drop=1.0).any()


def test_jitter_keeps_all_events_at_their_place_and_polarity(frames: Histograms) -> None:
    after = changed(frames, jitter=0.7)
    assert (after != frames).any()
    per_pixel = [
        counts.reshape(3, 2, BINS, HEIGHT, WIDTH).sum(2, dtype=np.int64)
        for counts in (frames, after)
    ]
    np.testing.assert_array_equal(*per_pixel)


def test_jitter_moves_events_to_both_neighbours_alike() -> None:
    middle = np.zeros((4, 2 * BINS, HEIGHT, WIDTH), np.uint8)
    middle[:, 2] = 4
    events = middle.sum()
    moved = by_bin(changed(middle, jitter=0.5))
    spread = 5 * np.sqrt(events / 4)
    assert moved[0] == pytest.approx([0, events / 4, events / 2, events / 4, 0], abs=spread)
    assert moved[0, 0] == moved[0, 4] == moved[1].sum() == 0


@pytest.mark.parametrize(("first", "neighbour"), [(0, 1), (BINS - 1, BINS - 2)])
def test_jitter_moves_nothing_out_of_the_window(first: int, neighbour: int) -> None:
    at_end = np.zeros((4, 2 * BINS, HEIGHT, WIDTH), np.uint8)
    at_end[:, BINS + first] = 2
    events = at_end.sum()
    moved = by_bin(changed(at_end, jitter=1.0))[1]
    assert moved[first] + moved[neighbour] == events
    assert moved[neighbour] == pytest.approx(events / 2, abs=5 * np.sqrt(events / 4))


def test_noise_is_poisson_in_every_cell() -> None:
    dark = np.zeros((8, 2 * BINS, HEIGHT, WIDTH), np.uint8)
    noise = changed(dark, noise=0.3)
    expected = np.exp(-0.3) * np.array([1, 0.3, 0.3**2 / 2, 0.3**3 / 6])
    found = np.bincount(noise.reshape(-1), minlength=4)[:4] / noise.size
    np.testing.assert_allclose(found, expected, atol=5 * np.sqrt(0.25 / noise.size))
    per_bin = by_bin(noise)
    mean = 0.3 * noise.size / per_bin.size
    np.testing.assert_allclose(per_bin, mean, atol=5 * np.sqrt(mean))


def test_noise_leaves_what_is_there(frames: Histograms) -> None:
    assert (changed(frames, noise=0.1) >= frames).all()


@pytest.mark.parametrize("changes", [{"noise": 1.0}, {"jitter": 1.0}])
def test_counts_stop_at_their_limit(changes: dict[str, Any]) -> None:
    full = np.full((2, 2 * BINS, HEIGHT, WIDTH), 10, np.uint8)
    after = changed(full, **changes)
    assert after.max() == 10
    layout = HistogramLayout(BINS, max_count=255)
    brim = EventChanges(**changes).apply(np.full_like(full, 255), layout, np.random.default_rng(0))
    assert brim.mean() > 200


def test_how_often_and_how_far_is_as_asked_for() -> None:
    settings = EventAugmentationSettings(
        suppression_probability=0.4,
        drop_probability=0.3,
        max_drop=0.6,
        jitter_probability=0.2,
        noise_probability=0.1,
        max_noise=0.01,
    )
    drawn = [settings.draw(np.random.default_rng(seed)) for seed in range(3000)]
    assert np.mean([d.suppressed is not None for d in drawn]) == pytest.approx(0.4, abs=0.04)
    assert np.mean([d.suppressed == 1 for d in drawn]) == pytest.approx(0.2, abs=0.04)
    for field, probability, largest in (
        ("drop", 0.3, 0.6),
        ("jitter", 0.2, 0.5),
        ("noise", 0.1, 0.01),
    ):
        strengths = np.array([getattr(changes, field) for changes in drawn])
        assert (strengths > 0).mean() == pytest.approx(probability, abs=0.04)
        assert strengths[strengths > 0].mean() == pytest.approx(largest / 2, rel=0.1)
        assert strengths.max() <= largest


def test_nothing_is_changed_unless_asked_for() -> None:
    settings = EventAugmentationSettings()
    assert not settings.is_active
    assert {settings.draw(np.random.default_rng(seed)) for seed in range(50)} == {EventChanges()}


def encoding(**representation: object) -> EncodingSettings:
    return EncodingSettings.model_validate(
        {"windows": {"kind": "regular"}, "representation": representation}
    )


def test_the_layout_is_read_off_the_settings_of_the_store() -> None:
    unlimited = encoding(kind="stacked_histogram", bins=7, max_count=None)
    assert HistogramLayout.of(unlimited, "train/a") == HistogramLayout(7, 255)
    limited = encoding(kind="stacked_histogram", bins=7, max_count=10)
    assert HistogramLayout.of(limited, "train/a") == HistogramLayout(7, 10)


@pytest.mark.parametrize(
    ("made_with", "found"),
    [(None, "of unknown settings"), (encoding(kind="mixed_density", bins=10), "mixed_density")],
)
def test_other_representations_are_refused(made_with: EncodingSettings | None, found: str) -> None:
    with pytest.raises(StoreError, match=f"train.random_augmentation.*train/a are {found}"):
        HistogramLayout.of(made_with, "train/a")
