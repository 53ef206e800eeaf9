"""What is done to whole tables of tracks, in place, since those of long recordings are large."""

import numpy as np
import numpy.typing as npt
from jaxtyping import Bool

from etram_pipeline.tracks.table import TrackTable

_ROWS_AT_ONCE = 2**16


def cut_at_border(table: TrackTable, width: int, height: int) -> TrackTable:
    """Boxes as far as they are on the sensor, as labels are; those outside are dropped.

    Args:
        table: The tracks; they are changed.
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
    """
    for corner, size, limit in (("x", "w", width), ("y", "h", height)):
        high = (table[corner] + table[size]).clip(0, limit)
        table[corner] = table[corner].clip(0, limit)
        table[size] = high - table[corner]
    return kept(table, (table["w"] > 0) & (table["h"] > 0))


def kept(table: TrackTable, rows: Bool[np.ndarray, " N"]) -> TrackTable:
    """Some rows of a table, moved to its front."""
    number = 0
    for start in range(0, len(table), _ROWS_AT_ONCE):
        part = slice(start, start + _ROWS_AT_ONCE)
        chosen = table[part][rows[part]]
        table[number : number + len(chosen)] = chosen
        number += len(chosen)
    return table[:number]


def numbered(table: TrackTable) -> TrackTable:
    """The table with ids from 1 in order of appearance, and rows in order of time, then track.

    Args:
        table: The tracks, in order of time; their ids are changed.
    """
    ids, first, of_row = np.unique(table["track_id"], return_index=True, return_inverse=True)
    rank = np.empty(len(ids), np.uint32)
    rank[np.lexsort((ids, table["t"][first]))] = np.arange(1, len(ids) + 1)
    table["track_id"] = rank[of_row]
    later = np.diff(table["t"])
    in_order: npt.NDArray[np.bool_] = (later > 0) | (
        np.diff(table["track_id"].astype(np.int64)) > 0
    )
    if in_order.all():
        return table
    return table[np.lexsort((table["track_id"], table["t"]))]
