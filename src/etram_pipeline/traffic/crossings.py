"""When who crosses which line."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, UInt8

from etram_pipeline.tracks.table import BRIDGED, SEEN
from etram_pipeline.traffic.ground_points import Paths
from etram_pipeline.traffic.polyline import Corners, is_right, passage, sides
from etram_pipeline.traffic.site import Line

Crossings = npt.NDArray[Any]
"""Structured array of `CROSSING_DTYPE`: one row per crossing, in order of time, then track."""

CROSSING_DTYPE = np.dtype(
    [
        ("t", "<i8"),
        ("line", "U64"),
        ("direction", "U64"),
        ("track_id", "<u4"),
        ("class_id", "<u4"),
        ("x", "<f4"),
        ("y", "<f4"),
        ("speed_m_s", "<f4"),
        ("state", "u1"),
        ("height_px", "<f4"),
    ]
)
"""Time in microseconds; line and direction by name; track and its class; place in px; speed on the
ground in m/s, or NaN; state of the track: the less certain one of the rows before and after, at
least `BRIDGED` in a gap between them; height of the box in px."""

GAP_STEPS = 2.5
"""A step that takes longer, in usual steps of tracks, is a gap in which nothing was detected."""

_NAMES = CROSSING_DTYPE.names or ()


def find_crossings(
    paths: Paths,
    lines: Mapping[str, Line],
    margin: float,
    speeds: Float64[np.ndarray, " N"] | None = None,
) -> Crossings:
    """Every crossing of every line.

    A road user crosses a line when its ground point lies at least `margin` heights of its box on
    one side and later as far on the other, having passed between the ends of the line. Waiting,
    shaking or turning back on the line is no crossing; there and back are two. If it passes several
    times before it is as far on the other side, the middle passage counts. Times and places lie
    on straight lines between rows.

    Args:
        paths: Ground points of whole tracks.
        lines: Lines by name.
        margin: Distance from the line, in heights of the box.
        speeds: Speed of each row on the ground in m/s, NaN where unknown; None: all unknown.
    """
    states = _states_of_steps(paths)
    found = [
        _crossing(paths, name, line, passed, speeds, states)
        for name, line in lines.items()
        for passed in _passages(paths, np.array(line.points, np.float64), margin)
    ]
    return in_order(np.array(found, CROSSING_DTYPE))


def in_order(found: Crossings) -> Crossings:
    """Crossings in order of time, then track."""
    return found[np.lexsort((found["track_id"], found["t"]))]


def _passages(paths: Paths, corners: Corners, margin: float) -> Iterator[tuple[int, float, bool]]:
    """Row before each crossing of a line, share of the step from it, and whether it is forward."""
    side = sides(paths.points, corners)
    is_on_right = is_right(side)
    is_certain = np.abs(side) >= margin * paths.heights
    certain = np.flatnonzero(is_certain)
    before, after = certain[:-1], certain[1:]
    has_crossed = (paths.track_ids[before] == paths.track_ids[after]) & (
        is_on_right[before] != is_on_right[after]
    )
    for first, last in np.column_stack([before, after])[has_crossed].tolist():
        # The number of changes is odd, so that the middle one is the same backwards in time.
        changes = np.flatnonzero(np.diff(is_on_right[first : last + 1]))
        row = first + int(changes[len(changes) // 2])
        share = passage(
            paths.points[row],
            paths.points[row + 1],
            corners,
            is_rightward=bool(is_on_right[row + 1]),
        )
        if share is not None:
            yield row, share, bool(is_on_right[last])


def _crossing(
    paths: Paths,
    name: str,
    line: Line,
    passed: tuple[int, float, bool],
    speeds: Float64[np.ndarray, " N"] | None,
    states: UInt8[np.ndarray, " N"],
) -> tuple[Any, ...]:
    row, share, is_forward = passed
    step = slice(row, row + 2)
    weights = np.array([1 - share, share])
    values = {
        "t": round(paths.times_us[row] + share * np.diff(paths.times_us[step])[0]),
        "line": name,
        "direction": line.forward if is_forward else line.backward,
        "track_id": paths.track_ids[row],
        "class_id": paths.class_ids[row],
        "x": weights @ paths.points[step, 0],
        "y": weights @ paths.points[step, 1],
        "speed_m_s": np.nan if speeds is None else _between(speeds[step], weights),
        "state": states[row],
        "height_px": weights @ paths.heights[step],
    }
    return tuple(values[field] for field in _NAMES)


def _states_of_steps(paths: Paths) -> UInt8[np.ndarray, " N"]:
    """How the places between each row and the next one of its track are known."""
    following = np.where(paths.is_last, np.arange(len(paths.rows)), np.arange(len(paths.rows)) + 1)
    states: UInt8[np.ndarray, " N"] = np.maximum(paths.states, paths.states[following])
    step_us = paths.times_us[following] - paths.times_us
    usual_us = np.median(step_us[~paths.is_last]) if not paths.is_last.all() else 0
    states[(step_us > GAP_STEPS * usual_us) & (states == SEEN)] = BRIDGED
    return states


def _between(values: Float64[np.ndarray, "2"], weights: Float64[np.ndarray, "2"]) -> float:
    """Value between two rows; if only one is known, this one."""
    is_known = np.isfinite(values)
    if is_known.all():
        return float(values @ weights)
    return float(next(iter(values[is_known]), np.nan))
