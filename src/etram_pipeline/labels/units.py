"""Detects labels in another unit than microseconds and px of the sensor.

A table does not state its units. Labels are suspicious if they are implausible in microseconds but
plausible in another unit: if they are less than 10 ms apart and cover less than a five-hundredth of
the recording, or if they lie outside the recording but would lie inside it in another unit.
"""

import math

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.core.recording import Clock, Recording
from etram_pipeline.labels.moments import SLACK_US
from etram_pipeline.labels.table import LabelTable, box_column

_US_PER_UNIT = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
_FASTEST_US, _SLOWEST_US = 1_000, 10_000_000
"""Distances between labelled times that annotators and interpolation produce."""
_USUAL_US = (10_000, 1_000_000)
"""Distances at which the unit of times is not checked."""
_COVERED = 0.002
_INSIDE = 0.5
_SLACK_US = 1_000_000
_LARGEST_FRACTION = 2.0
"""Upper bound of `x + w` and `y + h` in fractions, if `x` and `y` are centres."""
_OTHER_CLOCKS: tuple[Clock, ...] = ("sdk", "from_zero")
_LEAST_BOXES = 10
_OFTEN = 0.25
"""Number of boxes, and share of them over the border, above which they may be two corners."""


def is_rate_unusual(labels: LabelTable) -> bool:
    """Whether labelled times are unusually close or far apart, so that their unit is checked."""
    distance = _median_distance(_moments(labels))
    return distance is not None and not _USUAL_US[0] <= distance < _USUAL_US[1]


def time_fault(labels: LabelTable, span_us: tuple[int, int]) -> str:
    """Message about label times that seem to be in another unit; empty if microseconds fit.

    Args:
        labels: Boxes of a recording.
        span_us: Times of the recording's first and last event, in microseconds.
    """
    moments = _moments(labels)
    distance = _median_distance(moments)
    if distance is None or not is_rate_unusual(labels):
        return ""
    length_us = max(span_us[1] - span_us[0], 1)
    covered = float(moments[-1] - moments[0]) / length_us
    if _is_inside(moments, span_us, 1.0) and (distance >= _USUAL_US[0] or covered >= _COVERED):
        return ""
    possible = [
        unit
        for unit, factor in _US_PER_UNIT.items()
        if _FASTEST_US <= distance * factor <= _SLOWEST_US
        and covered * factor >= _COVERED
        and _is_inside(moments, span_us, factor)
    ]
    if not possible:
        return ""
    unit = min(possible, key=lambda unit: abs(math.log(covered * _US_PER_UNIT[unit])))
    factor = _US_PER_UNIT[unit]
    remedy = f"multiply `t` by {factor:.0f}" if factor > 1 else f"divide `t` by {1 / factor:.0f}"
    if unit == "milliseconds" and distance * factor < _USUAL_US[0]:
        unit = "frame numbers, or milliseconds"
        remedy = "give the time of each frame in microseconds"
    return (
        f"times seem to be {unit}, not microseconds: {len(moments)} labelled times, "
        f"{distance:.0f} apart, range from {moments[0]} to {moments[-1]}, but the recording ranges "
        f"from {span_us[0]} to {span_us[1]} us; {remedy}"
    )


def likely_clock(labels: LabelTable, recording: Recording) -> Clock | None:
    """The clock by which labels lie within a recording, if they begin before it by its own times.

    Args:
        labels: Boxes of a recording.
        recording: The recording, by the clock of its file; it may be read to its end.

    Raises:
        RecordingError: If it is damaged.
    """
    moments = _moments(labels)
    if not len(moments) or moments[0] >= recording.start_us - SLACK_US:
        return None
    for clock in _OTHER_CLOCKS:
        offset_us = recording.offset_of(clock)
        if offset_us > SLACK_US and moments[-1] <= recording.stop_us - offset_us + SLACK_US:
            return clock
    return None


def place_fault(labels: LabelTable, height: int, width: int) -> str:
    """Message about boxes that seem to be fractions of the sensor or two corners; empty if not.

    Args:
        labels: Boxes of a recording.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """
    reach = _reach(labels)
    if _are_corners(labels, reach, height, width):
        return (
            f"boxes seem to be two corners, not a corner and a size: in all {len(labels)} boxes, "
            "`w` and `h` exceed `x` and `y` and lie within the sensor, but `x` + `w` or `y` + `h` "
            "often do not; subtract `x` from `w`, and `y` from `h`"
        )
    if not len(reach) or not 0 < reach.max() <= _LARGEST_FRACTION:
        return ""
    return (
        f"boxes seem to be fractions of the sensor's size, not px: none of {len(reach)} extends "
        f"beyond {reach.max():.3g}; multiply `x` and `w` by {width}, `y` and `h` by {height}, and "
        "make `x` and `y` the top-left corner, not the centre"
    )


def size_doubt(labels: LabelTable, height: int, width: int) -> str:
    """Message about boxes that mostly lie off the sensor, as if it were larger; empty if not.

    Args:
        labels: Boxes of a recording.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """
    reach = _reach(labels)
    left, top = (box_column(labels, name).astype(np.float64) for name in ("x", "y"))
    num_off = int(np.count_nonzero((left >= width) | (top >= height)))
    if 2 * num_off <= len(labels) or not len(reach):
        return ""
    far_x, far_y = reach.max(axis=0)
    return (
        f"{num_off} of {len(labels)} boxes lie off the sensor of {height} x {width} px (height x "
        f"width) and extend to x = {far_x:.0f}, y = {far_y:.0f}: they may be in px of another "
        "sensor or of a video; scale them, or correct `dataset.height` and `dataset.width`"
    )


def _are_corners(
    labels: LabelTable, reach: Float64[np.ndarray, "N 2"], height: int, width: int
) -> bool:
    """Whether `w` and `h` of all boxes look like the right and bottom side."""
    if len(labels) < _LEAST_BOXES or len(reach) < len(labels):
        return False
    x, y, w, h = (box_column(labels, name).astype(np.float64) for name in ("x", "y", "w", "h"))
    within = (w > x) & (h > y) & (w <= width + 1) & (h <= height + 1)
    over = (reach > np.array([width, height]) + 1).any(axis=1)
    return bool(within.all() and np.mean(over) >= _OFTEN)


def _moments(labels: LabelTable) -> Int64[np.ndarray, " M"]:
    return np.unique(labels["t"].astype(np.int64))


def _median_distance(moments: Int64[np.ndarray, " M"]) -> float | None:
    return float(np.median(np.diff(moments))) if len(moments) > 1 else None


def _is_inside(moments: Int64[np.ndarray, " M"], span_us: tuple[int, int], factor: float) -> bool:
    """Whether most times lie within the recording if a unit is `factor` microseconds."""
    times_us = moments * factor
    start_us, stop_us = span_us[0] - _SLACK_US, span_us[1] + _SLACK_US
    return float(np.mean((times_us >= start_us) & (times_us <= stop_us))) >= _INSIDE


def _reach(labels: LabelTable) -> Float64[np.ndarray, "N 2"]:
    """Right and bottom side of all finite boxes."""
    x, y, w, h = (box_column(labels, name).astype(np.float64) for name in ("x", "y", "w", "h"))
    with np.errstate(invalid="ignore"):
        reach = np.stack([x + w, y + h], axis=1)
    return reach[np.isfinite(reach).all(axis=1)]
