"""Crossings of a simulated street in closed form, without boxes or pictures."""

from collections.abc import Iterator, Mapping

import numpy as np

from etram_pipeline.core import etram
from etram_pipeline.scene.scene import LABEL_HZ, Scene
from etram_pipeline.scene.traffic import RoadUser
from etram_pipeline.traffic.site import Line

TRUTH_DTYPE = np.dtype(
    [("t", "<i8"), ("line", "U64"), ("direction", "U64"), ("class_id", "<u4"), ("track_id", "<u4")]
)
_STEP_S = 1e-3


def scene_crossings(scene: Scene, lines: Mapping[str, Line], margin: float) -> np.ndarray:
    """Every crossing of upright lines between the first and the last labelled frame.

    Args:
        scene: The simulated recording.
        lines: Upright lines, from the lower border of the sensor to the upper one.
        margin: How far a road user must be seen on either side, in shares of its own height.
    """
    found = [
        (round(time_s * 1e6), name, line.forward if is_right else line.backward, *identity(user))
        for user in scene.users
        for name, line in lines.items()
        for time_s, is_right in _passages(scene, user, line, margin)
    ]
    return np.sort(np.array(found, TRUTH_DTYPE), order=["t", "track_id"])


def identity(user: RoadUser) -> tuple[int, int]:
    """Class id and track id."""
    return etram.CLASSES.index(user.class_name), user.track_id


def _passages(
    scene: Scene, user: RoadUser, line: Line, margin: float
) -> Iterator[tuple[float, bool]]:
    """When a road user passes a column, and whether to the right; nobody turns back."""
    (column, low), (same, high) = line.points
    if column != same or low < high:
        raise ValueError("the truth is known of lines from the lower border to the upper one only")
    half_m = scene.camera.half_view_m(user.across_m)
    enters_s, leaves_s = user.present_s(1.4 * half_m + user.size_m[0])
    last_s = scene.settings.duration_us * LABEL_HZ // 1_000_000 / LABEL_HZ
    # Farther away, points behind the camera would fall into the picture.
    times_s = np.arange(max(enters_s, 1 / LABEL_HZ), min(leaves_s, last_s) + _STEP_S / 2, _STEP_S)
    seen = scene.camera.project(user.along_m(times_s), user.across_m)
    beyond = (seen.x - column) * user.lane.direction
    is_certain = np.abs(beyond) >= margin * user.size_m[1] * seen.px_per_m
    on_sensor = (seen.x >= 0) & (seen.x <= scene.settings.width)
    sure = np.flatnonzero(is_certain & on_sensor)
    if sure.size and beyond[sure[0]] < 0 < beyond[sure[-1]]:
        yield float(times_s[np.searchsorted(beyond, 0)]), user.lane.direction > 0
