"""Tracks along given points."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.traffic.crossings import Crossings, find_crossings
from etram_pipeline.traffic.ground_points import Paths, paths
from etram_pipeline.traffic.site import Line

STEP_US = 50_000
HEIGHT_PX, WIDTH_PX = 20.0, 10.0
CLASSES = ("pedestrian", "car", "bus")
MARGIN = 0.15

Points = Sequence[tuple[float, float]]


def rows_of(table: npt.NDArray[Any]) -> list[str]:
    """Rows in any order, in which NaN equals NaN."""
    return sorted(map(repr, table.tolist()))


def walk(
    points: Points | npt.NDArray[np.float64],
    track_id: int = 1,
    class_id: int = 1,
    start_us: int = STEP_US,
) -> TrackTable:
    """A track whose ground point is at one point after the other, every 50 ms."""
    table = empty_tracks(len(points))
    table["t"] = start_us + STEP_US * np.arange(len(points))
    x, y = np.array(points, np.float64).reshape(-1, 2).T
    table["x"], table["y"] = x - WIDTH_PX / 2, y - HEIGHT_PX
    table["w"], table["h"] = WIDTH_PX, HEIGHT_PX
    table["track_id"], table["class_id"], table["detected_class_id"] = track_id, class_id, class_id
    return table


def together(*tables: TrackTable) -> TrackTable:
    """Tracks of one recording."""
    table = np.concatenate([empty_tracks(), *tables])
    return table[np.lexsort((table["track_id"], table["t"]))]


def path(table: TrackTable) -> Paths:
    (found,) = paths(table)
    return found


def crossed(points: Points, lines: Mapping[str, Line]) -> Crossings:
    return find_crossings(path(walk(points)), lines, MARGIN)


def names(found: Iterable[Mapping[str, object]], field: str = "direction") -> list[str]:
    return [str(each[field]) for each in found]


def observed(
    stop_us: int, start_us: int = 0, started_at: str | None = None, width: int = 400
) -> Observed:
    clock = None if started_at is None else datetime.fromisoformat(started_at)
    return Observed(width, 300, start_us, stop_us, clock)
