"""Which points lie in a polygon."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float

from etram_pipeline.traffic.site import Point


def inside(points: Float[np.ndarray, "N 2"], polygon: Sequence[Point]) -> Bool[np.ndarray, " N"]:
    """Whether points lie in a polygon, by the even-odd rule.

    Points on a left or upper edge are inside, those on a right or lower edge are not, so that a
    point on the common edge of two neighbours lies in one of them.

    Args:
        points: Column and row of each point.
        polygon: Corners in order; the last is joined to the first.
    """
    x, y = points[:, 0], points[:, 1]
    is_inside = np.zeros(len(points), bool)
    for (x1, y1), (x2, y2) in pairwise([*polygon, polygon[0]]):
        if y1 != y2:
            edge_x = x1 + (x2 - x1) * ((y - y1) / (y2 - y1))
            is_inside ^= ((y1 > y) != (y2 > y)) & (x < edge_x)
    return is_inside
