"""The table of tracks."""

from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable

TrackTable = npt.NDArray[Any]
"""Structured array of `TRACK_DTYPE`: one row per track and window, in order of time, then track."""

SEEN, BRIDGED, RESTED = 0, 1, 2
"""States of a row: detected; between two detections of a moving road user; while it stands still
and is not detected."""

TRACK_DTYPE = np.dtype(
    [
        *((name, LABEL_DTYPE[name]) for name in ("t", "x", "y", "w", "h")),
        ("track_id", "<u4"),
        ("class_id", "<u4"),
        ("detected_class_id", "<u4"),
        ("score", "<f4"),
        ("state", "u1"),
        ("x_m", "<f4"),
        ("y_m", "<f4"),
        ("speed_m_s", "<f4"),
    ]
)
"""End of the window in microseconds; box in px of the sensor; id of the track, from 1, and its
class; class and score of the last detection (the score is interpolated between detections); state;
ground point in metres and its speed in m/s, NaN if the site has no ground points."""

_METRIC = ("x_m", "y_m", "speed_m_s")


def empty_tracks(number: int = 0) -> TrackTable:
    """A table of `number` rows of zeros, whose places and speeds on the ground are unknown."""
    table = np.zeros(number, TRACK_DTYPE)
    for name in _METRIC:
        table[name] = np.nan
    return table


def labelled_tracks(labels: LabelTable) -> TrackTable:
    """The tracks of ground truth: every label is a row that was seen, with score 1."""
    table = empty_tracks(len(labels))
    for name in ("t", "x", "y", "w", "h", "track_id", "class_id"):
        table[name] = labels[name]
    table["detected_class_id"], table["score"], table["state"] = labels["class_id"], 1, SEEN
    return table[np.lexsort((table["track_id"], table["t"]))]
