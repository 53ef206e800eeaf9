"""Sides of a polyline, and where a step passes it."""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64

Corners = Float64[np.ndarray, "K 2"]

_SAME = 1e-9
"""Distances in px that differ by less are the same: both end at a common corner."""

AT_BORDER_PX = 2.0
"""An end of a line this close to the border of the sensor, or closer, is meant to lie on it."""


def sides(points: Float64[np.ndarray, "N 2"], corners: Corners) -> Float64[np.ndarray, " N"]:
    """Distance of points from a polyline, positive to the right of the way along it in a picture.

    Rows of a picture grow downwards. A point beyond an end has the distance from the straight
    continuation of the polyline.

    Args:
        points: Column and row of each point.
        corners: Two or more corners of the polyline, of which no two in succession are equal.
    """
    last = len(corners) - 2
    nearest, across = np.full(len(points), np.inf), np.zeros(len(points))
    distance = np.zeros(len(points))
    for k, (start, stop) in enumerate(pairwise(corners)):
        length = np.hypot(*(stop - start))
        along_x, along_y = (stop - start) / length
        x, y = (points - start).T
        way, off = along_x * x + along_y * y, along_x * y - along_y * x
        own = np.hypot(off, np.maximum(np.maximum(-way, way - length), 0))
        # At a corner of less than 90 degrees only the segment that faces the point tells its side.
        is_nearer = np.where(
            np.abs(own - nearest) < _SAME, np.abs(off) > np.abs(across), own < nearest
        )
        is_past_end = ((k == 0) & (way < 0)) | ((k == last) & (way > length))
        nearest, across = np.where(is_nearer, own, nearest), np.where(is_nearer, off, across)
        distance = np.where(is_nearer, np.where(is_past_end, np.abs(off), own), distance)
    return np.where(is_right(across), distance, -distance)


def beyond_border(corners: Corners, width: int, height: int) -> Corners:
    """A polyline whose ends at the border of the sensor are moved straight beyond it.

    A box that the border cuts has its ground point on the border, give or take a rounding error,
    and must not pass beyond the end of a line that was drawn up to the border.

    Args:
        corners: Corners of the polyline.
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
    """
    moved = corners.copy()
    for end, neighbour in ((0, 1), (-1, -2)):
        x, y = corners[end]
        if min(x, y, width - x, height - y) <= AT_BORDER_PX:
            away = corners[end] - corners[neighbour]
            moved[end] += 2 * AT_BORDER_PX * away / np.hypot(*away)
    return moved


def is_right(side: Float64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Whether points lie to the right of a polyline; points on it do."""
    return side >= 0


def passage(
    start: Float64[np.ndarray, "2"],
    stop: Float64[np.ndarray, "2"],
    corners: Corners,
    *,
    is_rightward: bool,
) -> float | None:
    """Share of a step after which it passes a polyline; None if it passes beyond the ends.

    A step that passes several segments, and so ends on the other side after an odd number of
    passages, passes at the middle one. Of two polylines with a common end it passes one.

    Args:
        start: Start of the step.
        stop: End of the step, on the other side of the polyline.
        corners: Corners of the polyline.
        is_rightward: Whether the step leads to the right side; a step backwards in time then
            passes where the step itself does, also exactly at a corner.
    """
    first, along = corners[:-1], np.diff(corners, axis=0)
    before, after = _cross(along, start - first), _cross(along, stop - first)
    ahead = stop - start if is_rightward else start - stop
    is_corner_right = is_right(_cross(ahead[None], corners - start))
    passed = np.flatnonzero(
        (is_right(before) != is_right(after)) & (is_corner_right[1:] != is_corner_right[:-1])
    )
    if len(passed) % 2 == 0:
        return None
    shares = before[passed] / (before[passed] - after[passed])
    return float(np.sort(shares)[len(passed) // 2])


def _cross(
    along: Float64[np.ndarray, "#S 2"], offset: Float64[np.ndarray, "S 2"]
) -> Float64[np.ndarray, " S"]:
    cross: Float64[np.ndarray, " S"] = along[:, 0] * offset[:, 1] - along[:, 1] * offset[:, 0]
    return cross
