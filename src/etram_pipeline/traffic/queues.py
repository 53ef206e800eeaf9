"""Who waits in which zone, seen once a second."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.traffic.ground_points import Paths
from etram_pipeline.traffic.homography import Homography
from etram_pipeline.traffic.site import Zone
from etram_pipeline.traffic.speeds import speeds
from etram_pipeline.traffic.stays import Stays

Queued = npt.NDArray[Any]
"""Structured array of `QUEUED_DTYPE`: one row per second, zone and slow road user in it."""

QUEUED_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("zone", "<u2"),
        ("track_id", "<u4"),
        ("class_id", "<u4"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("metres", "<f4"),
    ]
)
"""Time in microseconds; position of the zone in the site; track and its class; place in px;
distance from the edge of the zone by which most leave, in metres, or NaN."""

SLOW_M_S = 1.4
"""A road user that is slower waits, in m/s."""

SLOW_SIZES_S = 0.5
"""A road user that is slower waits where its speed on the ground is unknown, in box sizes per
second."""

_US_PER_S = 1_000_000


def whole_seconds(start_us: int, stop_us: int, on_clock_us: int) -> Int64[np.ndarray, " S"]:
    """The whole seconds on the clock after `start_us`, up to `stop_us`.

    Args:
        start_us: Start of what was observed.
        stop_us: End of what was observed.
        on_clock_us: Any time that is a whole second on the clock.
    """
    phase = on_clock_us % _US_PER_S
    first = (start_us - phase) // _US_PER_S + 1
    last = (stop_us - phase) // _US_PER_S
    return np.arange(first, last + 1, dtype=np.int64) * _US_PER_S + phase


def find_slow(paths: Paths, speeds_m_s: Float64[np.ndarray, " N"]) -> Bool[np.ndarray, " N"]:
    """Whether each row's road user waits.

    Args:
        paths: Ground points of whole tracks.
        speeds_m_s: Speed on the ground, NaN where unknown: there the speed in the picture decides.
    """
    speeds_px_s = speeds(paths.times_us, paths.points, paths.track_ids)
    is_slow_px = speeds_px_s < SLOW_SIZES_S * paths.sizes
    return np.where(np.isfinite(speeds_m_s), speeds_m_s < SLOW_M_S, is_slow_px)


def find_queued(
    paths: Paths,
    found: Stays,
    zones: Iterable[str],
    seconds_us: Int64[np.ndarray, " S"],
    is_slow: Bool[np.ndarray, " N"],
) -> Queued:
    """Slow road users in zones at each second, without their distances in metres.

    Args:
        paths: Ground points of whole tracks.
        found: Stays of these tracks.
        zones: Names of all zones in order.
        seconds_us: Times that are looked at.
        is_slow: Whether a row's road user waits.
    """
    if not len(found):
        return np.zeros(0, QUEUED_DTYPE)
    first = np.searchsorted(seconds_us, found["enter"])
    number = np.searchsorted(seconds_us, found["leave"]) - first
    stay = np.repeat(np.arange(len(found)), number)
    second = np.arange(len(stay)) + np.repeat(first - np.cumsum(number) + number, number)
    times_us = seconds_us[second]
    rows = _rows_at(paths, found["track_id"][stay].astype(np.int64), times_us)
    waits = is_slow[rows]
    table = np.zeros(int(waits.sum()), QUEUED_DTYPE)
    stay, rows = stay[waits], rows[waits]
    table["t"], table["metres"] = times_us[waits], np.nan
    number_of = {name: number for number, name in enumerate(zones)}
    zone_of = np.array([number_of[name] for name in found["zone"].tolist()])
    table["zone"], table["track_id"] = zone_of[stay], found["track_id"][stay]
    table["class_id"] = found["class_id"][stay]
    table["x"], table["y"] = paths.points[rows].T
    return table


def measure_queues(
    table: Queued, found: Stays, zones: Mapping[str, Zone], homography: Homography | None
) -> Queued:
    """The same rows with distances in metres from the edge by which most leave the zone.

    A distance is unknown without a homography, if nobody leaves the zone, or where the ground is
    unknown at the place or at the ends of this edge.
    """
    if homography is None:
        return table
    measured = table.copy()
    for number, (name, zone) in enumerate(zones.items()):
        left = found[(found["zone"] == name) & ~found["ends_inside"]]
        mine = np.flatnonzero(table["zone"] == number)
        if len(left) and len(mine):
            edge = _most_used_edge(_places(left, "left_x", "left_y"), zone)
            places = homography.to_ground(_places(table[mine], "x", "y"))
            measured["metres"][mine] = _distances(places, *homography.to_ground(edge))
    return measured


def _rows_at(
    paths: Paths, track_ids: Int64[np.ndarray, " Q"], times_us: Int64[np.ndarray, " Q"]
) -> Int64[np.ndarray, " Q"]:
    """Last row of a track up to a time during its life."""
    starts = np.flatnonzero(paths.is_first)
    tracks = np.searchsorted(paths.track_ids[starts], track_ids)
    number = np.cumsum(paths.is_first) - 1
    # Times of one track after those of the one before, so that one search serves all tracks.
    earliest, span = paths.times_us.min(), np.ptp(paths.times_us) + 1
    keys = number * span + paths.times_us - earliest
    rows: Int64[np.ndarray, " Q"] = np.searchsorted(
        keys, tracks * span + times_us - earliest, side="right"
    )
    return rows - 1


def _places(table: npt.NDArray[Any], x: str, y: str) -> Float64[np.ndarray, "N 2"]:
    return np.column_stack([table[x], table[y]]).astype(np.float64)


def _most_used_edge(points: Float64[np.ndarray, "N 2"], zone: Zone) -> Float64[np.ndarray, "2 2"]:
    corners = np.array([*zone.polygon, zone.polygon[0]], np.float64)
    edges = list(pairwise(corners))
    distances = np.stack([_distances(points, *edge) for edge in edges])
    uses = np.bincount(distances.argmin(axis=0), minlength=len(edges))
    return np.stack(edges[int(uses.argmax())])


def _distances(
    points: Float64[np.ndarray, "N 2"],
    start: Float64[np.ndarray, "2"],
    stop: Float64[np.ndarray, "2"],
) -> Float64[np.ndarray, " N"]:
    """Distances of points from a straight edge."""
    along = stop - start
    share = np.clip((points - start) @ along / max(float(along @ along), 1e-12), 0, 1)
    distances: Float64[np.ndarray, " N"] = np.hypot(*(points - start - share[:, None] * along).T)
    return distances
