"""Crossings of a simulated street in closed form, without boxes or pictures."""

from collections.abc import Iterator, Mapping

import numpy as np

from etram_pipeline.core import etram
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.traffic import RoadUser
from etram_pipeline.traffic.crossings import CROSSING_DTYPE, Crossings, in_order
from etram_pipeline.traffic.site import Line

_STEP_S = 1e-3


def scene_crossings(scene: Scene, lines: Mapping[str, Line]) -> Crossings:
    """Every crossing of upright lines, also of those that are hidden at that time.

    Args:
        scene: The simulated recording.
        lines: Upright lines, from the lower border of the sensor to the upper one.
    """
    found = [
        crossing
        for user in scene.users
        for name, line in lines.items()
        for crossing in _passages(scene, user, (name, line))
    ]
    return in_order(np.concatenate([np.zeros(0, CROSSING_DTYPE), *found]))


def _passages(scene: Scene, user: RoadUser, named: tuple[str, Line]) -> Iterator[Crossings]:
    """The crossing of a line by a road user, who never turns back."""
    name, line = named
    (column, low), (same, high) = line.points
    if column != same or low < high:
        raise ValueError("the truth is known of lines from the lower border to the upper one only")
    half_m = scene.camera.half_view_m(user.across_m)
    enters_s, leaves_s = user.present_s(1.4 * half_m + user.size_m[0])
    # Farther away, points behind the camera would fall into the picture.
    stop_s = min(leaves_s, scene.settings.duration_us / 1e6)
    times_s = np.arange(max(enters_s, 0.0), stop_s, _STEP_S)
    seen = scene.camera.project(user.along_m(times_s), user.across_m)
    beyond = (seen.x - column) * user.lane.direction
    if times_s.size and beyond[0] < 0 <= beyond[-1]:
        row = int(np.searchsorted(beyond, 0))
        found = np.zeros(1, CROSSING_DTYPE)
        found["t"], found["line"] = round(times_s[row] * 1e6), name
        found["direction"] = line.forward if user.lane.direction > 0 else line.backward
        found["track_id"], found["class_id"] = user.track_id, etram.CLASSES.index(user.class_name)
        found["x"], found["y"] = column, min(seen.y[row], scene.settings.height)
        found["height_px"] = user.size_m[1] * seen.px_per_m[row]
        yield found
