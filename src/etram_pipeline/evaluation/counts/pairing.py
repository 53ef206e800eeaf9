"""Which counted crossing is which true one."""

import numpy as np
from jaxtyping import Float64, Int64

_Allowed = Int64[np.ndarray, " P"]
_Chosen = Int64[np.ndarray, " M"]


def near_in_time(
    true_us: Int64[np.ndarray, " T"], counted_us: Int64[np.ndarray, " C"], within_us: int
) -> tuple[_Allowed, _Allowed]:
    """All pairs of times that are no further apart than allowed.

    Args:
        true_us: Times in ascending order, in microseconds.
        counted_us: Other times in ascending order, in microseconds.
        within_us: Longest time between the two of a pair, in microseconds.

    Returns:
        Positions in `true_us` and in `counted_us`.
    """
    first = np.searchsorted(counted_us, true_us - within_us, "left")
    number = np.searchsorted(counted_us, true_us + within_us, "right") - first
    rows = np.repeat(np.arange(len(true_us)), number)
    columns = np.arange(len(rows)) - np.repeat(number.cumsum() - number - first, number)
    return rows, columns


def pair(
    rows: _Allowed, columns: _Allowed, costs: Float64[np.ndarray, " P"], num_rows: int
) -> tuple[_Chosen, _Chosen]:
    """One-to-one pairs: as many as possible, and of these the ones with the least sum of costs.

    Only pairs that are allowed take memory.

    Args:
        rows: Row of each pair that is allowed.
        columns: Column of each.
        costs: Cost of each, not negative.
        num_rows: Number of rows.

    Returns:
        Rows and columns of the chosen pairs.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import min_weight_full_bipartite_matching

    if not len(rows):
        return rows, columns
    num_columns = int(columns.max()) + 1
    # A row without a partner is paired with a column of its own, which costs more than any change
    # of other pairs. Sparse matrices leave out zeros, so every cost is one more than it is.
    alone = np.arange(num_rows)
    apart = np.full(num_rows, (num_rows + 1) * (costs.max() + 1))
    matrix = csr_array(
        (
            np.concatenate([costs + 1, apart]),
            (np.concatenate([rows, alone]), np.concatenate([columns, num_columns + alone])),
        ),
        shape=(num_rows, num_columns + num_rows),
    )
    chosen_rows, chosen_columns = min_weight_full_bipartite_matching(matrix)
    is_pair = chosen_columns < num_columns
    return chosen_rows[is_pair].astype(np.int64), chosen_columns[is_pair].astype(np.int64)
