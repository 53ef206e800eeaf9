"""Which labelled moments are frames, wherever they lie, and why the others are not."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.moments import LeftOut, Moments, choose_moments, fill_gaps
from etram_pipeline.labels.settings import LabelSettings

EVERY = LabelSettings(frames="spaced", frame_interval_ms=None)
GRID = LabelSettings(frame_interval_ms=100)


def spaced(interval_ms: int | None, first_frame_ms: int = 100) -> LabelSettings:
    return LabelSettings(
        frames="spaced", frame_interval_ms=interval_ms, first_frame_ms=first_frame_ms
    )


def irregular() -> np.ndarray:
    """120 moments from 20 to 400 ms apart."""
    return np.cumsum(np.random.default_rng(0).integers(20_000, 400_000, 120))


def jittered() -> np.ndarray:
    """1 000 moments at 30 Hz, up to 3 ms early or late."""
    jitter_us = np.random.default_rng(0).integers(-3000, 3001, 1000)
    regular_us: np.ndarray = np.rint(np.arange(1, 1001) * 1e6 / 30).astype(np.int64)
    jittered_us: np.ndarray = regular_us + jitter_us
    return jittered_us


def paused() -> np.ndarray:
    """50 moments at 10 Hz, and after a pause of five seconds 51 more, 25 ms off the grid."""
    return np.concatenate([100_000 * np.arange(1, 51), 100_000 * np.arange(100, 151) + 25_000])


@pytest.mark.parametrize(
    ("moments_us", "settings", "num_frames", "left_out"),
    [
        pytest.param(irregular(), EVERY, 120, LeftOut(), id="irregular"),
        pytest.param(irregular(), spaced(100), 101, LeftOut(too_close=19), id="irregular 100 ms"),
        pytest.param(irregular(), GRID, 3, LeftOut(too_close=46, off_grid=71), id="irregular grid"),
        pytest.param(jittered(), EVERY, 998, LeftOut(early=2), id="jitter"),
        pytest.param(jittered(), spaced(50), 499, LeftOut(early=2, too_close=499), id="jitter 50"),
        pytest.param(
            jittered(), GRID, 37, LeftOut(early=2, too_close=703, off_grid=258), id="jitter grid"
        ),
        pytest.param(paused(), EVERY, 101, LeftOut(), id="paused"),
        pytest.param(paused(), spaced(100), 101, LeftOut(), id="paused 100 ms"),
        pytest.param(paused(), GRID, 50, LeftOut(off_grid=51), id="paused grid"),
    ],
)
def test_moments_off_the_grid_are_frames_unless_a_grid_is_wanted(
    moments_us: np.ndarray, settings: LabelSettings, num_frames: int, left_out: LeftOut
) -> None:
    found = choose_moments(moments_us, settings)

    assert len(found.times_us) == num_frames
    assert found.left_out == left_out
    assert num_frames + left_out.total == len(moments_us)


def test_frames_follow_each_other_no_faster_than_wanted_but_for_the_tolerance() -> None:
    found = choose_moments(jittered(), spaced(100))

    assert np.diff(found.times_us).min() >= 98_000
    assert len(found.times_us) == 306


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=60), st.integers(1, 300))
def test_no_further_moment_has_room_before_the_next_frame(
    times_us: list[int], interval_ms: int
) -> None:
    moments_us = np.unique(times_us)
    found = choose_moments(moments_us, spaced(interval_ms, first_frame_ms=0)).times_us
    least_us = max(1000 * interval_ms - 2000, 1)

    assert found[0] == moments_us[0]
    for frame_us, next_us in zip(found, [*found[1:].tolist(), np.inf], strict=True):
        assert next_us - frame_us >= least_us
        between = moments_us[(moments_us > frame_us) & (moments_us < next_us)]
        assert np.all(between - frame_us < least_us)


@pytest.mark.parametrize("interval_ms", [None, 50])
def test_regular_labels_give_the_frames_of_a_grid(interval_ms: int | None) -> None:
    """The labels of the embedded scene, of which any rule makes the same frames."""
    moments_us = 50_000 * np.arange(1, 61)
    found = choose_moments(moments_us, spaced(interval_ms))
    grid = choose_moments(moments_us, LabelSettings(frame_interval_ms=50))

    np.testing.assert_array_equal(found.times_us, grid.times_us)
    assert (found.interval_us, found.left_out) == (grid.interval_us, grid.left_out)
    assert found.interval_us == 50_000


@pytest.mark.parametrize(
    ("times_us", "interval_us"),
    [
        pytest.param([100_000, 200_000, 300_000, 600_000], 100_000, id="with a gap"),
        pytest.param([100_000, 201_900, 300_000, 400_000], 100_000, id="within the tolerance"),
        pytest.param([100_000, 204_000, 300_000, 400_000], 0, id="beyond the tolerance"),
        pytest.param([100_000, 200_000, 300_000, 425_000, 525_000], 0, id="shifted"),
        pytest.param([100_000], 0, id="a single one"),
        pytest.param([100_000, 103_000, 106_000, 7_109_777], 0, id="as close as the tolerance"),
        pytest.param([100_000, 100_001, 100_002, 20_000_000], 0, id="next to each other"),
    ],
)
def test_the_interval_of_irregular_frames_is_zero(times_us: list[int], interval_us: int) -> None:
    assert choose_moments(np.array(times_us), EVERY).interval_us == interval_us


def test_labels_outside_the_recording_are_left_out_and_counted() -> None:
    times_us = np.array([50_000, 899_999, 900_000, 1_000_000, 2_100_000, 2_100_001, 9_000_000])
    span_us = (1_000_000, 2_000_000)

    found = choose_moments(times_us, EVERY, span_us)

    assert found.times_us.tolist() == [900_000, 1_000_000, 2_100_000]
    assert found.left_out == LeftOut(early=1, outside=3)


def test_without_any_moment_in_the_recording_there_is_no_frame() -> None:
    found: Moments = choose_moments(np.array([500_000]), EVERY, (5_000_000, 6_000_000))

    assert len(found.times_us) == 0
    assert found.left_out == LeftOut(outside=1)


def test_reasons_are_added_up_and_said_in_words() -> None:
    total = LeftOut(early=2, off_grid=1000) + LeftOut(early=1, filtered=4)

    assert total == LeftOut(early=3, off_grid=1000, filtered=4)
    assert str(total) == (
        "4 without a box after the filters, 3 before labels.first_frame_ms, "
        "1,000 off the grid of labels.frame_interval_ms"
    )


@pytest.mark.parametrize(("count", "interval_us"), [(1, 0), (5, 33_333)])
def test_a_grid_without_a_wanted_interval_is_that_of_the_labels(
    count: int, interval_us: int
) -> None:
    moments_us = 33_333 * np.arange(4, 4 + count)
    found = choose_moments(moments_us, LabelSettings(frame_interval_ms=None))
    np.testing.assert_array_equal(found.times_us, moments_us)
    assert found.interval_us == interval_us


def test_the_rule_of_the_reference_leaves_stored_settings_as_they_were() -> None:
    assert "frames" not in LabelSettings().model_dump(mode="json")
    assert EVERY.model_dump(mode="json")["frames"] == "spaced"


def test_moments_that_the_labels_distance_leaves_empty_are_filled() -> None:
    moments_us = np.array([100_000, 200_000, 300_500, 601_000, 700_000])

    assert fill_gaps(moments_us).tolist() == [
        *(100_000, 200_000, 300_500),
        *(400_667, 500_833, 601_000, 700_000),
    ]
    assert fill_gaps(moments_us[:1]).tolist() == [100_000]


def test_a_wrong_time_does_not_fill_memory_with_empty_moments() -> None:
    with pytest.raises(LabelError, match="3599900000 moments, 1 us apart"):
        fill_gaps(np.array([100_000, 100_001, 100_002, 3_600_000_000]))
