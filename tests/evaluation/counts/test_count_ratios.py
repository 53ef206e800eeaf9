"""Intervals of shares and of ratios of sums."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from etram_pipeline.evaluation.counts.ratios import Ratio, half_width, wilson


@pytest.mark.parametrize(("hits", "number"), [(10, 10), (0, 3), (7, 12), (990, 1000)])
def test_share_has_wilsons_interval(hits: int, number: int) -> None:
    wanted = binomtest(hits, number).proportion_ci(0.95, "wilson")
    assert wilson(hits, number, 0.95) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_share_of_nothing_may_be_anything() -> None:
    assert wilson(0, 0, 0.95) == (0.0, 1.0)


def test_ratio_is_of_sums() -> None:
    assert Ratio(np.array([1.0, 5.0]), np.array([2.0, 2.0])).value == 1.5
    assert math.isnan(Ratio(np.zeros(2), np.zeros(2)).value)


def test_interval_of_a_mean_is_students() -> None:
    values = np.array([1.0, 2.0, 4.0, 9.0])
    ratio = Ratio(values, np.ones(4))
    error = values.std(ddof=1) / 2
    assert half_width(ratio.deviations, 0.95) == pytest.approx(3.182446 * error, rel=1e-6)


def test_two_units_have_no_interval() -> None:
    assert half_width(np.array([1.0, -1.0]), 0.95) is None


def test_units_that_are_alike_have_no_interval() -> None:
    true = np.array([10.0, 30.0, 70.0])
    assert half_width(Ratio(true * 1.1, true).deviations, 0.95) is None


@pytest.mark.parametrize("number", [4, 10, 30])
def test_interval_covers_the_error_in_95_of_100_samples(number: int) -> None:
    """Recordings of different length, whose errors vary from one to another."""
    rng = np.random.default_rng(number)
    rounds, missed, false, spread = 1500, 0.06, 0.09, 0.03
    lengths = rng.gamma(4.0, 15.0, (rounds, number))
    true = rng.poisson(lengths)
    rate = (missed + rng.normal(0, spread, true.shape)).clip(0, 1)
    found = rng.binomial(true, 1 - rate) + rng.poisson(false * lengths)
    covered = 0
    for have, want in zip(found.astype(float), true.astype(float), strict=True):
        ratio = Ratio(have - want, want)
        half = half_width(ratio.deviations, 0.95)
        covered += half is not None and abs(ratio.value - (false - missed)) <= half
    assert 0.91 <= covered / rounds <= 0.97
