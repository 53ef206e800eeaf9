"""Quantiles of groups of values."""

import numpy as np
from jaxtyping import Float64, Int64


def grouped_quantile(
    values: Float64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " N"],
    num_groups: int,
    share: float,
) -> Float64[np.ndarray, " G"]:
    """Quantile of each group, between neighbours by a straight line; NaN for an empty group.

    Args:
        values: Values without NaN.
        groups: Group of each value, from 0.
        num_groups: How many groups there are.
        share: Share of a group's values below the quantile.
    """
    ordered = values[np.lexsort((values, groups))]
    number = np.bincount(groups, minlength=num_groups)
    quantiles = np.full(num_groups, np.nan)
    place = share * (number - 1)
    below = np.floor(place).astype(np.int64)
    above = np.minimum(below + 1, number - 1)
    start = np.cumsum(number) - number
    is_any = number > 0
    low, high = (ordered[(start + index)[is_any]] for index in (below, above))
    quantiles[is_any] = low + (place - below)[is_any] * (high - low)
    return quantiles
