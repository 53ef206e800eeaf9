"""Whole tracks: a row for each window from the first detection to the last."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import BRIDGED, RESTED, SEEN, TrackTable, empty_tracks

_STANDING = 0.8
"""Speed in box sizes per second below which a road user stood in a gap, on average."""

_BOX = ("x", "y", "w", "h")


@dataclass(frozen=True)
class _Stretch:
    """Detections of a track between which all gaps are filled.

    Attributes:
        track_id: Number of the track.
        class_id: Class of the track.
        rows: Its detections in the table, in order of time.
        windows: The window of each of them.
    """

    track_id: int
    class_id: int
    rows: Int64[np.ndarray, " D"]
    windows: Int64[np.ndarray, " D"]


def filled(
    rows: TrackTable, times_us: Int64[np.ndarray, " W"], settings: TrackSettings
) -> TrackTable:
    """Tracks with gaps bridged, boxes smoothed and one class each, without those that stay put.

    Rows are written where they belong, since the table of a long recording is large.

    Args:
        rows: What was detected of each track, in any order.
        times_us: Ends of all windows, ascending.
        settings: What is filled, smoothed and dropped.

    Returns:
        Rows in order of time, then track. Ids count from 1 in order of appearance.
    """
    stretches = list(_stretches(rows, times_us, settings))
    in_window = np.zeros(len(times_us) + 1, np.int64)
    for each in stretches:
        in_window[each.windows[0] + 1 : each.windows[-1] + 2] += 1
    next_row = np.cumsum(in_window)
    table = empty_tracks(int(next_row[-1]))
    for each in stretches:
        windows = np.arange(each.windows[0], each.windows[-1] + 1)
        table[next_row[windows]] = _rows_of(each, rows, times_us[windows], settings)
        next_row[windows] += 1
    return table


def _stretches(
    rows: TrackTable, times_us: Int64[np.ndarray, " W"], settings: TrackSettings
) -> Iterator[_Stretch]:
    order = np.lexsort((rows["t"], rows["track_id"]))
    ids, first = np.unique(rows["track_id"][order], return_index=True)
    tracks = np.split(order, first[1:]) if len(ids) else []
    tracks.sort(key=lambda track: int(rows["t"][track[0]]))  # stable: then by id
    number = 0
    for track in tracks:
        own = rows[track]
        if _travel(own) < settings.least_travel:
            continue
        number += 1
        windows = np.searchsorted(times_us, own["t"])
        cuts = np.flatnonzero(_is_open(own, windows, settings.bridge_s)) + 1
        for part, at in zip(np.split(track, cuts), np.split(windows, cuts), strict=True):
            yield _Stretch(number, _vote(own), part, at)


def _travel(own: TrackTable) -> float:
    """Largest distance of a track from its start, in box sizes."""
    x, y = _centres(own)
    size = np.sqrt(np.median(own["w"].astype(np.float64) * own["h"]))
    return float(np.hypot(x - x[0], y - y[0]).max() / size)


def _vote(own: TrackTable) -> int:
    return int(np.bincount(own["detected_class_id"], own["score"]).argmax())


def _centres(own: TrackTable) -> tuple[Float64[np.ndarray, " D"], Float64[np.ndarray, " D"]]:
    x, y, w, h = (own[name].astype(np.float64) for name in _BOX)
    return x + w / 2, y + h / 2


def _is_open(
    own: TrackTable, windows: Int64[np.ndarray, " D"], bridge_s: float
) -> Bool[np.ndarray, " D-1"]:
    """Which gaps are not filled: longer ones in which the road user did not stand."""
    gap_s = np.diff(own["t"]) / 1e6
    x, y = _centres(own)
    size = np.sqrt(own["w"].astype(np.float64) * own["h"])
    moved = np.hypot(np.diff(x), np.diff(y)) > _STANDING * gap_s * np.maximum(size[1:], size[:-1])
    is_open: npt.NDArray[np.bool_] = (np.diff(windows) > 1) & (gap_s > bridge_s) & moved
    return is_open


def _rows_of(
    stretch: _Stretch, rows: TrackTable, times_us: Int64[np.ndarray, " W"], settings: TrackSettings
) -> TrackTable:
    """A row for each of some consecutive windows; the first and the last have a detection."""
    own, windows = rows[stretch.rows], stretch.windows - stretch.windows[0]
    table = empty_tracks(len(times_us))
    table["t"], table["track_id"], table["class_id"] = times_us, stretch.track_id, stretch.class_id
    before = np.searchsorted(windows, np.arange(len(times_us)), side="right") - 1
    table["detected_class_id"] = own["detected_class_id"][before]
    is_rest = np.diff(own["t"], append=own["t"][-1:]) > settings.bridge_s * 1e6
    table["state"] = np.where(is_rest[before], RESTED, BRIDGED)
    table["state"][windows] = SEEN
    table["score"] = np.interp(times_us, own["t"], own["score"])
    for name in _BOX:
        table[name] = _smoothed(np.interp(times_us, own["t"], own[name]), settings.smooth)
    return table


def _smoothed(values: Float64[np.ndarray, " W"], reach: int) -> Float64[np.ndarray, " W"]:
    """Means over as many values to either side, fewer at the ends."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    half = np.minimum(reach, np.minimum(at, at[::-1]))
    means: Float64[np.ndarray, " W"] = (sums[at + half + 1] - sums[at - half]) / (2 * half + 1)
    return means
