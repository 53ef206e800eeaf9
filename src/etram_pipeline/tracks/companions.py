"""Tracks of parts of road users, which travel with the track of the whole."""

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
    for start in range(0, len(table), _ROWS_AT_ONCE):
        pairs, sums = _pairs_from(table, start, min(start + _ROWS_AT_ONCE, len(table)))
        keys.append(pairs)
        values.append(sums)
    key, sums = _summed(np.concatenate(keys), np.concatenate(values))
    return np.stack([key >> 32, key & 0xFFFFFFFF], axis=1), sums


def _summed(
    keys: Int64[np.ndarray, " N"], values: Float64[np.ndarray, "N 3"]
) -> tuple[Int64[np.ndarray, " P"], Float64[np.ndarray, "P 3"]]:
    unique, of_row = np.unique(keys, return_inverse=True)
    sums = np.zeros((len(unique), 3))
    np.add.at(sums, of_row, values)
    return unique, sums


def _pairs_from(
    table: TrackTable, start: int, stop: int
) -> tuple[Int64[np.ndarray, " P"], Float64[np.ndarray, "P 3"]]:
    """Meetings of each of some rows with later rows of the same window, by pair of tracks."""
    keys, values = [np.zeros(0, np.int64)], [np.zeros((0, 3))]
    time_us, rows = table["t"], np.arange(start, stop)
    for ahead in range(1, len(table) - start):
        rows = rows[rows + ahead < len(table)]
        rows = rows[time_us[rows] == time_us[rows + ahead]]
        if not len(rows):
            break
        iou, foot = _closeness(table[rows], table[rows + ahead])
        met = iou > _MEETING_IOU
        ids = np.stack([table["track_id"][rows[met]], table["track_id"][rows[met] + ahead]])
        low, high = np.sort(ids.astype(np.int64), axis=0)
        keys.append(low << 32 | high)
        values.append(np.stack([np.ones(len(low)), iou[met], foot[met]], axis=1))
    return _summed(np.concatenate(keys), np.concatenate(values))


def _closeness(
    one: TrackTable, other: TrackTable
) -> tuple[Float64[np.ndarray, " N"], Float64[np.ndarray, " N"]]:
    """IoU of two boxes, and the distance of their lower edges in heights of the taller one."""
    x, y, w, h = (one[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    u, v, p, q = (other[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    across = np.minimum(x + w, u + p) - np.maximum(x, u)
    down = np.minimum(y + h, v + q) - np.maximum(y, v)
    both = across.clip(0) * down.clip(0)
    iou = both / (w * h + p * q - both)
    foot = np.abs(y + h - v - q) / np.maximum(h, q)
    return iou, foot
