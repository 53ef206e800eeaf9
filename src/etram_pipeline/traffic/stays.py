"""When who is in which zone."""

from collections.abc import Mapping
from typing import Any, cast

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Int64

from etram_pipeline.traffic.ground_points import Paths
from etram_pipeline.traffic.polygon import inside
from etram_pipeline.traffic.site import Zone

Stays = npt.NDArray[Any]
"""Structured array of `STAY_DTYPE`: one row per stay, in order of time, then track."""

STAY_DTYPE = np.dtype(
    [
        ("zone", "U64"),
        ("track_id", "<u4"),
        ("class_id", "<u4"),
        ("enter", "<i8"),
        ("leave", "<i8"),
        ("begins_inside", "?"),
        ("ends_inside", "?"),
        ("left_x", "<f4"),
        ("left_y", "<f4"),
    ]
)
"""Zone by name; track and its class; times in microseconds, half-way between the rows inside and
outside; whether the track itself begins or ends in the zone; where it leaves, in px, NaN if it does
not."""

LEAST_S = 0.2
"""Shorter gaps do not part a stay, and shorter stays do not count, in seconds."""

_NAMES = STAY_DTYPE.names or ()


def find_stays(paths: Paths, zones: Mapping[str, Zone]) -> Stays:
    """Every stay of a ground point in a zone.

    Args:
        paths: Ground points of whole tracks.
        zones: Zones by name.
    """
    found = [_stays_in(paths, name, zone) for name, zone in zones.items()]
    return in_order(np.concatenate([np.zeros(0, STAY_DTYPE), *found]))


def in_order(found: Stays) -> Stays:
    """Stays in order of time, then track."""
    return found[np.lexsort((found["track_id"], found["enter"]))]


def _stays_in(paths: Paths, name: str, zone: Zone) -> Stays:
    is_inside = inside(paths.points, zone.polygon)
    first, last = _spans(is_inside, paths)
    if not len(first):
        return np.zeros(0, STAY_DTYPE)
    enter, leave = _times(first, last, paths)
    least_us = 1e6 * LEAST_S
    is_parted = (np.diff(paths.track_ids[first]) != 0) | (enter[1:] - leave[:-1] >= least_us)
    begins, ends = np.append(True, is_parted), np.append(is_parted, True)
    first, enter, last, leave = first[begins], enter[begins], last[ends], leave[ends]
    found = np.zeros(len(first), STAY_DTYPE)
    ends_inside = paths.is_last[last]
    outside = np.minimum(last + 1, len(paths.rows) - 1)
    left = np.where(ends_inside[:, None], np.nan, (paths.points[last] + paths.points[outside]) / 2)
    columns = (
        name,
        paths.track_ids[first],
        paths.class_ids[first],
        enter,
        leave,
        paths.is_first[first],
        ends_inside,
        *left.T,
    )
    for field, column in zip(_NAMES, columns, strict=True):
        found[field] = column
    does_count = leave - enter >= least_us
    return cast("Stays", found[does_count])


def _spans(
    is_inside: Bool[np.ndarray, " N"], paths: Paths
) -> tuple[Int64[np.ndarray, " S"], Int64[np.ndarray, " S"]]:
    """First and last row of every time inside without a row outside."""
    was_inside = np.append(False, is_inside[:-1]) & ~paths.is_first
    stays_inside = np.append(is_inside[1:], False) & ~paths.is_last
    return np.flatnonzero(is_inside & ~was_inside), np.flatnonzero(is_inside & ~stays_inside)


def _times(
    first: Int64[np.ndarray, " S"], last: Int64[np.ndarray, " S"], paths: Paths
) -> tuple[Int64[np.ndarray, " S"], Int64[np.ndarray, " S"]]:
    before = np.where(paths.is_first[first], first, first - 1)
    after = np.where(paths.is_last[last], last, last + 1)
    times_us = paths.times_us
    return (times_us[before] + times_us[first]) // 2, (times_us[last] + times_us[after]) // 2
