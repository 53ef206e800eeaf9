"""Percentiles of durations."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from etram_pipeline.live.latencies import Latencies


@given(st.lists(st.floats(0.01, 1e6), min_size=1, max_size=200), st.sampled_from([50, 95, 99, 100]))
def test_percentiles_are_those_of_all_durations_within_a_hundredth(
    durations: list[float], percent: int
) -> None:
    latencies = Latencies()
    for each in durations:
        latencies.add(each)
    exact = np.percentile(durations, percent, method="inverted_cdf")
    assert latencies.percentile(percent) == pytest.approx(exact, rel=0.011)


def test_without_durations_there_is_no_percentile() -> None:
    assert math.isnan(Latencies().percentile(50))


def test_extreme_durations_are_counted_too() -> None:
    latencies = Latencies()
    latencies.add(0.0)
    latencies.add(1e12)
    assert latencies.percentile(50) == pytest.approx(0.01)
    assert latencies.percentile(100) > 3_600_000
