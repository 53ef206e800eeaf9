"""Where road users are: the paths of their ground points."""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
from jaxtyping import Bool, Float64, Int64, UInt8

from etram_pipeline.tracks.table import TrackTable

MOST_ROWS = 50_000
"""Rows that are worked on at a time, which bounds the memory of counting; about 20 MB."""


@dataclass(frozen=True)
class Paths:
    """Whole tracks, one after the other, each in order of time.

    Attributes:
        rows: Row of the table of tracks.
        times_us: Time, in microseconds.
        points: Ground point, the middle of the box's lower edge: column and row in px.
        heights: Height of the box, in px.
        sizes: Square root of the box's area, in px.
        track_ids: Track.
        class_ids: Class of the track, which is that of most of its rows.
        states: How the place is known, see `tracks.table`.
    """

    rows: Int64[np.ndarray, " N"]
    times_us: Int64[np.ndarray, " N"]
    points: Float64[np.ndarray, "N 2"]
    heights: Float64[np.ndarray, " N"]
    sizes: Float64[np.ndarray, " N"]
    track_ids: Int64[np.ndarray, " N"]
    class_ids: Int64[np.ndarray, " N"]
    states: UInt8[np.ndarray, " N"]

    @property
    def is_first(self) -> Bool[np.ndarray, " N"]:
        """Whether a row is the first of its track."""
        is_first: Bool[np.ndarray, " N"] = np.diff(self.track_ids, prepend=-1) != 0
        return is_first

    @property
    def is_last(self) -> Bool[np.ndarray, " N"]:
        """Whether a row is the last of its track."""
        is_last: Bool[np.ndarray, " N"] = np.diff(self.track_ids, append=-1) != 0
        return is_last

    def of(self, is_chosen: Bool[np.ndarray, " N"]) -> "Paths":
        """The chosen rows alone."""
        return Paths(*(getattr(self, field.name)[is_chosen] for field in fields(self)))


def paths(tracks: TrackTable, most_rows: int = MOST_ROWS) -> Iterator[Paths]:
    """The tracks of a table, some at a time.

    Args:
        tracks: Rows in order of time.
        most_rows: Rows at a time; a longer track still comes as a whole.
    """
    order = np.argsort(tracks["track_id"], kind="stable")
    track_ids = tracks["track_id"][order]
    ends = np.append(np.flatnonzero(track_ids[1:] != track_ids[:-1]) + 1, len(tracks))
    is_last_of_part = np.diff((ends - 1) // most_rows, append=-1) != 0
    start = 0
    for end in ends[is_last_of_part].tolist():
        yield _paths_of(tracks, order[start:end])
        start = end


def _paths_of(tracks: TrackTable, rows: Int64[np.ndarray, " N"]) -> Paths:
    part = tracks[rows]
    x, y, width, height = (part[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    track_ids = part["track_id"].astype(np.int64)
    return Paths(
        rows=rows,
        times_us=part["t"].astype(np.int64),
        points=np.column_stack([x + width / 2, y + height]),
        heights=height,
        sizes=np.sqrt(width * height),
        track_ids=track_ids,
        class_ids=_votes(track_ids, part["class_id"].astype(np.int64)),
        states=part["state"],
    )


def _votes(
    track_ids: Int64[np.ndarray, " N"], class_ids: Int64[np.ndarray, " N"]
) -> Int64[np.ndarray, " N"]:
    """Class of most rows of each row's track; of equals the lowest."""
    number = np.cumsum(np.diff(track_ids, prepend=-1) != 0) - 1
    num_classes = int(class_ids.max(initial=0)) + 1
    pairs, counts = np.unique(number * num_classes + class_ids, return_counts=True)
    owner = pairs // num_classes
    best_last = np.lexsort((-pairs, counts, owner))
    best = best_last[np.flatnonzero(np.diff(owner, append=-1))]
    votes: Int64[np.ndarray, " N"] = (pairs % num_classes)[best][number]
    return votes
