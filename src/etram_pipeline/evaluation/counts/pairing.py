"""Which counted crossing is which true one."""

import numpy as np
from jaxtyping import Int64

Indices = Int64[np.ndarray, " P"]


def pair_times(
    true_us: Int64[np.ndarray, " T"], counted_us: Int64[np.ndarray, " C"], within_us: int
) -> tuple[Indices, Indices]:
    """One-to-one pairs of two series of times, as many as possible.

    Of all ways to make that many pairs, the one with the smallest sum of time differences is
    chosen. Only pairs that are allowed take memory.

    Args:
        true_us: Times in ascending order, in microseconds.
        counted_us: Other times in ascending order, in microseconds.
        within_us: Longest time between the two of a pair, in microseconds.

    Returns:
        Positions of the paired times in `true_us` and in `counted_us`.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    num_true, num_counted = len(true_us), len(counted_us)
    first = np.searchsorted(counted_us, true_us - within_us, "left")
    number = np.searchsorted(counted_us, true_us + within_us, "right") - first
    if not number.sum():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    rows = np.repeat(np.arange(num_true), number)
    columns = np.arange(len(rows)) - np.repeat(number.cumsum() - number - first, number)
    # A time without a partner is paired with a column of its own, which costs more than any change
    # of other pairs. Sparse matrices leave out zeros, so that every cost is one more than it is.
    costs = np.abs(true_us[rows] - counted_us[columns]) + 1.0
    alone = np.arange(num_true)
    matrix = csr_array(
        (
            np.concatenate([costs, np.full(num_true, (num_true + 1) * (within_us + 1.0))]),
            (np.concatenate([rows, alone]), np.concatenate([columns, num_counted + alone])),
        ),
        shape=(num_true, num_counted + num_true),
    )
    true, counted = min_weight_full_bipartite_matching(matrix)
    is_pair = counted < num_counted
    return true[is_pair].astype(np.int64), counted[is_pair].astype(np.int64)
