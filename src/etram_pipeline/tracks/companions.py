"""Tracks of parts of road users, which travel with the track of the whole."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.tracks.settings import CompanionSettings
from etram_pipeline.tracks.table import TrackTable

_MEETING_IOU = 0.1
"""IoU above which two tracks meet in a window."""

_ROWS_AT_ONCE = 2**16


def companions(table: TrackTable, settings: CompanionSettings) -> Int64[np.ndarray, " C"]:
    """Ids of the tracks that are part of a longer one.

    Args:
        table: Whole tracks, in order of time.
        settings: What makes a companion.
    """
    life = np.bincount(table["track_id"])
    pairs, sums = _meetings(table)
    shorter = life[pairs].min(axis=1, initial=0) if len(pairs) else np.zeros(0, np.int64)
    gone: set[int] = set()
    for row in np.lexsort((pairs[:, 1], pairs[:, 0], shorter)):
        short, long = sorted(pairs[row].tolist(), key=lambda track: (life[track], -track))
        number, iou, foot = sums[row]
        together = number >= settings.share * life[short]
        alike = iou / number >= settings.min_iou and foot / number <= settings.foot
        if together and alike and long not in gone:
            gone.add(short)
    return np.array(sorted(gone), np.int64)


def _meetings(table: TrackTable) -> tuple[Int64[np.ndarray, "P 2"], Float64[np.ndarray, "P 3"]]:
    """Pairs of tracks that meet: windows in which they do, and sums of IoU and foot distance."""
    keys, values = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
    start = 0
    while start < len(table):
        last = min(start + _ROWS_AT_ONCE, len(table)) - 1
        stop = int(np.searchsorted(table["t"], table["t"][last], side="right"))
        for key, value in _meetings_in(table[start:stop]):
            keys.append(key)
            values.append(value)
        start = stop
    unique, of_row = np.unique(np.concatenate(keys), return_inverse=True)
    sums = np.zeros((len(unique), 3))
    np.add.at(sums, of_row, np.concatenate(values))
    return np.stack([unique >> 32, unique & 0xFFFFFFFF], axis=1), sums


def _meetings_in(
    table: TrackTable,
) -> Iterator[tuple[Int64[np.ndarray, " M"], Float64[np.ndarray, "M 3"]]]:
    """Pairs of rows of whole windows that meet: both tracks in one number; 1, IoU, distance."""
    time_us, ids = table["t"].copy(), table["track_id"].astype(np.int64)
    x, y, w, h = (table[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    right, foot, area = x + w, y + h, w * h
    for ahead in range(1, len(table)):
        one, other = slice(None, -ahead), slice(ahead, None)
        together = time_us[one] == time_us[other]
        if not together.any():
            return
        across = np.minimum(right[one], right[other]) - np.maximum(x[one], x[other])
        down = np.minimum(foot[one], foot[other]) - np.maximum(y[one], y[other])
        rows = np.flatnonzero(together & (across > 0) & (down > 0))
        both = across[rows] * down[rows]
        iou = both / (area[rows] + area[rows + ahead] - both)
        rows, iou = rows[iou > _MEETING_IOU], iou[iou > _MEETING_IOU]
        others = rows + ahead
        off = np.abs(foot[rows] - foot[others]) / np.maximum(h[rows], h[others])
        low, high = np.minimum(ids[rows], ids[others]), np.maximum(ids[rows], ids[others])
        yield low << 32 | high, np.stack([np.ones(len(rows)), iou, off], axis=1)
