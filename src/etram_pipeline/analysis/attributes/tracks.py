"""Labels of one recording in the order of their tracks."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.labels.table import LabelTable

NEEDS = "the labels have no track ids"


@dataclass(frozen=True)
class TrackedCentres:
    """Centres of labels by track, then by time.

    Attributes:
        rows: Row of each in the table.
        starts: First of each track.
        times_us: Time of each, in microseconds.
        centres: Horizontal and vertical place, in px.
    """

    rows: Int64[np.ndarray, " N"]
    starts: Int64[np.ndarray, " T"]
    times_us: Int64[np.ndarray, " N"]
    centres: Float64[np.ndarray, "N 2"]

    @property
    def is_first(self) -> Bool[np.ndarray, " N"]:
        """Whether each is the first of its track."""
        is_first = np.zeros(len(self.rows), bool)
        is_first[self.starts] = True
        return is_first


def tracked_centres(labels: LabelTable) -> TrackedCentres | None:
    """Labels by track; None if they have no tracks, which is what 0 means if all have it."""
    tracks = labels["track_id"].astype(np.int64)
    if not tracks.any():
        return None
    times_us = labels["t"].astype(np.int64)
    rows = np.lexsort((times_us, tracks))
    corners = np.stack([labels["x"], labels["y"]], axis=1).astype(np.float64)
    sides = np.stack([labels["w"], labels["h"]], axis=1).astype(np.float64)
    starts = np.flatnonzero(np.diff(tracks[rows], prepend=-1))
    return TrackedCentres(rows, starts, times_us[rows], (corners + sides / 2)[rows])
