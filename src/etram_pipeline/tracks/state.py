"""What a tracker remembers of its tracks, as arrays."""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from jaxtyping import Float32, Float64, Int64

from etram_pipeline.tracks.table import empty_tracks

Records = npt.NDArray[Any]
"""Structured array."""

Record = np.void
"""One row of a structured array."""

Places = Int64[np.ndarray, " N"]
"""Places in the arrays of a state."""

Arrays = tuple[Records, Float64[np.ndarray, "M C"], Float32[np.ndarray, "M K"], Records]
"""The arrays of a state."""

FREE, TENTATIVE, MOVING, RESTING = range(4)
"""Status of a place in the arrays, in this order: without a track; with one that is not confirmed,
that moves, or that stands still and is not seen."""

MOTION_DTYPE = np.dtype(
    [
        ("status", "u1"),
        ("track_id", "<u4"),
        ("hits", "<i8"),
        ("num_speeds", "<i8"),
        ("seen_us", "<i8"),
        *((name, "<f8") for name in ("x", "y", "w", "h", "vx", "vy")),
        *((name, "<f8") for name in ("place_var", "cross_var", "speed_var")),
    ],
    align=True,
)
"""Status and id; number of detections and of speeds noted; end of the window of the last detection;
centre and size of the box in px, velocity in px/s; variances of place and velocity and their
covariance, in squares of the box's size, the same for both axes."""

FOUND_DTYPE = np.dtype(
    [*((name, "<f8") for name in ("x", "y", "w", "h", "score")), ("class_id", "<i8")]
)
"""A detection: top-left corner and size in px, score and class."""

_NUM_SPEEDS = 256
"""Last speeds of a track that are kept, to know how fast it usually is."""


class State(NamedTuple):
    """What is known about the tracks; each has one place in all arrays.

    Attributes:
        tracks: `MOTION_DTYPE`.
        votes: Sum of the scores of a track's detections by class.
        speeds: The last speeds of a track in box sizes per second, as a ring.
        early: Rows (`TRACK_DTYPE`) of a track up to its confirmation.
    """

    tracks: Records
    votes: Float64[np.ndarray, "M C"]
    speeds: Float32[np.ndarray, "M K"]
    early: Records


class Window(NamedTuple):
    """One window, and what was detected in it.

    Attributes:
        time_us: End of the window, in microseconds.
        step_us: Time since the end of the window before it, in microseconds.
        found: Detections (`FOUND_DTYPE`); the best of each object come first, best first.
        place: Place of the track that each of them belongs to; -1 for none.
    """

    time_us: int
    step_us: int
    found: Records
    place: Places


def no_tracks(num_places: int, num_classes: int, confirm_hits: int) -> State:
    """A state with free places only."""
    return State(
        np.zeros(num_places, MOTION_DTYPE),
        np.zeros((num_places, num_classes)),
        np.zeros((num_places, _NUM_SPEEDS), np.float32),
        empty_tracks(num_places * confirm_hits).reshape(num_places, confirm_hits),
    )


def with_free_places(state: State, number: int) -> State:
    """The state itself if it has that many free places, else one with more."""
    num_places = len(state.tracks)
    if np.count_nonzero(state.tracks["status"] == FREE) >= number:
        return state
    more = no_tracks(num_places + number, state.votes.shape[1], state.early.shape[1])
    return State(*(np.concatenate(pair) for pair in zip(state, more, strict=True)))
