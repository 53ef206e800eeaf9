"""How fast road users move."""

import numpy as np
import pytest

from etram_pipeline.traffic.speeds import speeds

STEPS_US = np.array([50_000, 33_000, 70_000, 50_000, 12_000] * 6)


def measured(times_us: np.ndarray, places: np.ndarray, ids: np.ndarray | None = None) -> np.ndarray:
    ids = np.ones(len(times_us), np.int64) if ids is None else ids
    return speeds(times_us, np.array(places, np.float64), ids)


@pytest.mark.parametrize("start_us", [0, 10**12])
def test_a_steady_speed_is_exact_at_uneven_times_and_late_in_a_recording(start_us: int) -> None:
    times_us = start_us + np.cumsum(STEPS_US)
    seconds = (times_us - start_us) / 1e6
    places = np.column_stack([1e6 + 3 * seconds, -4 * seconds])
    np.testing.assert_allclose(measured(times_us, places), 5, rtol=1e-9)


def test_each_row_has_the_slope_of_the_best_straight_line_around_it() -> None:
    rng = np.random.default_rng(0)
    times_us = np.cumsum(rng.integers(20_000, 120_000, 60))
    places = rng.normal(size=(60, 2))
    found = measured(times_us, places)
    for row in range(60):
        near = np.abs(times_us - times_us[row]) <= 400_000
        seconds = (times_us[near] - times_us[row]) / 1e6
        slope = np.polyfit(seconds, places[near], 1)[0]
        assert found[row] == pytest.approx(np.hypot(*slope), rel=1e-6)


def test_tracks_do_not_mix() -> None:
    times_us = np.tile(np.arange(10) * 50_000, 2)
    places = np.column_stack([np.concatenate([np.arange(10), np.zeros(10)]), np.zeros(20)])
    found = measured(times_us, places, np.repeat([1, 2], 10))
    np.testing.assert_allclose(found[:10], 20)
    np.testing.assert_allclose(found[10:], 0, atol=1e-9)


def test_too_few_known_places_have_no_speed() -> None:
    assert np.isnan(measured(np.arange(2) * 50_000, np.zeros((2, 2)))).all()
    assert np.isnan(measured(np.arange(5) * 500_000, np.zeros((5, 2)))).all()
    assert np.isnan(measured(np.zeros(5, np.int64), np.zeros((5, 2)))).all()
    assert len(measured(np.zeros(0, np.int64), np.zeros((0, 2)))) == 0


def test_unknown_places_are_left_out() -> None:
    places = np.column_stack([np.arange(20.0), np.zeros(20)])
    places[[4, 5]] = np.nan
    found = measured(np.arange(20) * 50_000, places)
    assert np.flatnonzero(np.isnan(found)).tolist() == [4, 5]
    np.testing.assert_allclose(np.delete(found, [4, 5]), 20)
