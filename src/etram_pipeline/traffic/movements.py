"""Who comes from where and goes where."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.traffic.crossings import Crossings
from etram_pipeline.traffic.polyline import sides
from etram_pipeline.traffic.site import UNKNOWN, Line
from etram_pipeline.traffic.stays import Stays

Movements = npt.NDArray[Any]
"""Structured array of `MOVEMENT_DTYPE`: one row per track, in order of time."""

MOVEMENT_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("track_id", "<u4"),
        ("class_id", "<u4"),
        ("origin", "U64"),
        ("destination", "U64"),
    ]
)
"""Time of the first crossing, or of entering the first zone, in microseconds; track and its class;
line or zone that it comes from and goes to, or `UNKNOWN`."""

_LEAST_OFF_MIDDLE = 0.05
"""A line passes through the middle of a site if its distance is less, as a share of its length."""


def line_movements(found: Crossings, lines: Mapping[str, Line]) -> Movements:
    """Origin and destination of all tracks that cross lines: the first line and the last.

    Of a track that crosses a single line once, only one end is known. Whoever heads for the middle
    of all lines has come from this line; whoever heads away from the middle leaves by it. If the
    line passes through the middle, as a single line does, it is the origin. Names of directions
    play no part.

    Args:
        found: Crossings in order of time.
        lines: Lines by name.
    """
    inward = _inward_directions(lines)
    rows: list[tuple[Any, ...]] = []
    for first, last in _ends_by_track(found, "t"):
        origin, destination = str(first["line"]), str(last["line"])
        if first["t"] == last["t"] and origin == destination:
            is_inward = inward[origin] in {None, str(first["direction"])}
            origin, destination = (origin, UNKNOWN) if is_inward else (UNKNOWN, destination)
        rows.append((first["t"], first["track_id"], first["class_id"], origin, destination))
    return _in_order(rows)


def zone_movements(found: Stays) -> Movements:
    """Origin and destination of all tracks that stay in zones: the first zone and the last.

    Of a track with a single stay, only one end is known: the zone is the origin of whoever leaves
    it, and the destination of whoever enters it and is last seen in it.

    Args:
        found: Stays in any order.
    """
    rows: list[tuple[Any, ...]] = []
    for first, last in _ends_by_track(found, "enter"):
        origin, destination = str(first["zone"]), str(last["zone"])
        if first["enter"] == last["enter"] and origin == destination:
            is_reached = first["ends_inside"] and not first["begins_inside"]
            origin, destination = (UNKNOWN, destination) if is_reached else (origin, UNKNOWN)
        rows.append((first["enter"], first["track_id"], first["class_id"], origin, destination))
    return _in_order(rows)


def _ends_by_track(found: npt.NDArray[Any], time: str) -> list[tuple[Any, Any]]:
    """First and last row of each track."""
    ordered = found[np.lexsort((found[time], found["track_id"]))]
    is_last = np.diff(ordered["track_id"].astype(np.int64), append=-1) != 0
    is_first = np.roll(is_last, 1)
    return list(zip(ordered[is_first], ordered[is_last], strict=True))


def _in_order(rows: list[tuple[Any, ...]]) -> Movements:
    movements = np.array(rows, MOVEMENT_DTYPE)
    return movements[np.lexsort((movements["track_id"], movements["t"]))]


def _inward_directions(lines: Mapping[str, Line]) -> dict[str, str | None]:
    """Direction of each line that leads towards the middle of all lines; None: neither."""
    corners = {name: np.array(line.points, np.float64) for name, line in lines.items()}
    if not corners:
        return {}
    middle = np.mean([points.mean(axis=0) for points in corners.values()], axis=0)
    inward: dict[str, str | None] = {}
    for name, points in corners.items():
        side = float(sides(middle[None], points)[0])
        length = float(np.hypot(*np.diff(points, axis=0).T).sum())
        is_through = abs(side) < _LEAST_OFF_MIDDLE * length
        direction = lines[name].forward if side > 0 else lines[name].backward
        inward[name] = None if is_through else direction
    return inward
