"""Pairs of true and counted crossings."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from etram_pipeline.evaluation.counts.pairing import near_in_time, pair

WITHIN_US = 1_000_000
TIMES = st.lists(st.integers(0, 6_000_000), max_size=12)


def times(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def pair_times(true: np.ndarray, counted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    rows, columns = near_in_time(true, counted, WITHIN_US)
    return pair(rows, columns, np.abs(true[rows] - counted[columns]) / WITHIN_US, len(true))


def pairs(true: np.ndarray, counted: np.ndarray) -> list[tuple[int, int]]:
    rows, columns = pair_times(true, counted)
    return list(zip(rows.tolist(), columns.tolist(), strict=True))


def test_nearest_in_time_is_the_same_event() -> None:
    assert pairs(times(1_000_000, 3_000_000), times(1_400_000, 2_900_000)) == [(0, 0), (1, 1)]


def test_time_is_inclusive() -> None:
    assert pairs(times(1_000_000), times(2_000_000)) == [(0, 0)]
    assert pairs(times(1_000_000), times(2_000_001)) == []


def test_each_is_paired_once() -> None:
    assert pairs(times(1_000_000), times(900_000, 1_000_100)) == [(0, 1)]
    assert pairs(times(900_000, 1_000_100), times(1_000_000)) == [(1, 0)]


def test_as_many_as_possible_are_paired_even_if_a_nearer_one_is_given_up() -> None:
    assert pairs(times(1_000_000, 1_900_000), times(100_000, 1_000_000)) == [(0, 0), (1, 1)]


@pytest.mark.parametrize("sides", [((), ()), ((5,), ()), ((), (5,))])
def test_nothing_has_no_pairs(sides: tuple[tuple[int, ...], tuple[int, ...]]) -> None:
    assert pairs(times(*sides[0]), times(*sides[1])) == []


@given(TIMES, TIMES)
def test_pairs_are_those_of_the_hungarian_method(one: list[int], other: list[int]) -> None:
    true, counted = times(*sorted(one)), times(*sorted(other))
    gaps = np.abs(true[:, None] - counted[None])
    rows, columns = linear_sum_assignment(np.where(gaps <= WITHIN_US, gaps, 100 * WITHIN_US))
    chosen = gaps[rows, columns] <= WITHIN_US
    found_rows, found_columns = pair_times(true, counted)
    assert len(found_rows) == chosen.sum()
    own, wanted = gaps[found_rows, found_columns], gaps[rows, columns][chosen]
    assert own.sum() == wanted.sum()


def test_three_hours_of_dense_traffic_need_no_giant_matrix() -> None:
    # A full matrix of these would take 800 MB.
    true = np.arange(10_000, dtype=np.int64) * 500_000
    kept = np.delete(true + 100_000, np.arange(0, 10_000, 10))
    rows, columns = pair_times(true, kept)
    assert len(rows) == len(columns) == 9_000
