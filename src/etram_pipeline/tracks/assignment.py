"""Compiled overlaps of boxes, and the best one-to-one pairing of two sets.

Compiled once per machine. `no_type_check` hides these functions from the run-time type checks of
the tests, which Numba cannot compile. Numba does not notice when a function of another file has
changed: delete `__pycache__` after a change here.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit

from etram_pipeline.tracks.state import Record

Box = tuple[float, float, float, float]
"""Centre and size, in px."""


@no_type_check
@njit(cache=True, nogil=True)
def box_of(row: Record) -> Box:
    """Centre and size of a row that has a corner."""
    return row.x + row.w / 2, row.y + row.h / 2, row.w, row.h


@no_type_check
@njit(cache=True, nogil=True)
def overlap_of(one: Box, other: Box, margin: float) -> float:
    """IoU of two boxes (centre and size), each widened by a share of its size on every side."""
    reach = 0.5 + margin
    x, y, w, h = one
    u, v, p, q = other
    across = min(x + reach * w, u + reach * p) - max(x - reach * w, u - reach * p)
    down = min(y + reach * h, v + reach * q) - max(y - reach * h, v - reach * q)
    if across <= 0 or down <= 0:
        return 0.0
    both = across * down
    return both / (4 * reach * reach * (w * h + p * q) - both)


@no_type_check
@njit(cache=True, nogil=True)
def assign(gain: Float64[np.ndarray, "R C"]) -> Int64[np.ndarray, " R"]:
    """Partner of each row such that the sum of gains is largest; -1 for none.

    Pairs without a gain are never made. Shortest augmenting paths, one row after another; a row
    can also end at a column of its own, which gains nothing.

    Source: Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear
    assignment problems", Computing 38, 1987.
    """
    num_rows, num_columns = gain.shape
    row_prices, column_prices = np.zeros(num_rows), np.zeros(num_columns + num_rows)
    owner, partner = np.full(num_columns + num_rows, -1), np.full(num_rows, -1)
    for first in range(num_rows):
        before, column = _path(gain, first, row_prices, column_prices, owner)
        row = -1
        while row != first:
            row = before[column]
            owner[column] = row
            partner[row], column = column, partner[row]
    for row in range(num_rows):
        if partner[row] >= num_columns:
            partner[row] = -1
    return partner


@no_type_check
@njit(cache=True, nogil=True)
def _path(
    gain: Float64[np.ndarray, "R C"],
    first: int,
    row_prices: Float64[np.ndarray, " R"],
    column_prices: Float64[np.ndarray, " S"],
    owner: Int64[np.ndarray, " S"],
) -> tuple[Int64[np.ndarray, " S"], int]:
    """Cheapest path from a row to a column without owner; the prices are updated.

    Returns:
        The row before each column on the path, and the last column.
    """
    length, before = np.full(len(owner), np.inf), np.full(len(owner), -1)
    done = np.zeros(len(owner), np.bool_)
    row, least, nearest = first, 0.0, -1
    while row >= 0:
        nearest = -1
        for column in range(len(owner)):
            if done[column]:
                continue
            price = least + _cost(gain, row, column) - row_prices[row] - column_prices[column]
            if price < length[column]:
                length[column], before[column] = price, row
            if nearest < 0 or length[column] < length[nearest]:
                nearest = column
        least = length[nearest]
        done[nearest] = True
        row = owner[nearest]
    row_prices[first] += least
    for column in range(len(owner)):
        if done[column] and column != nearest:
            row_prices[owner[column]] += least - length[column]
            column_prices[column] -= least - length[column]
    return before, nearest


@no_type_check
@njit(cache=True, nogil=True)
def _cost(gain: Float64[np.ndarray, "R C"], row: int, column: int) -> float:
    """Cost of a pair; every row has a further column of its own that costs nothing."""
    num_columns = gain.shape[1]
    if column >= num_columns:
        return 0.0 if column == num_columns + row else np.inf
    return -gain[row, column] if gain[row, column] > 0 else np.inf
