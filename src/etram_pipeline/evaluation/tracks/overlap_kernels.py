"""Compiled loops that find the overlaps of labels and track boxes, moment by moment.

Overlaps and sums are the same as those of TrackEval 1.3.0 to the last bit, because the last bit may
decide between equally good matches: they are computed in its order, which is that of NumPy.
`no_type_check` hides them from the run-time type checks of the tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float64, Int64
from numba import njit

_EPSILON = np.finfo(np.float64).eps
_BLOCK = 128  # of NumPy's pairwise summation
_LANES = 8


@no_type_check
@njit(cache=True, nogil=True)
def count_overlapping(
    labels: Float64[np.ndarray, "N 4"],
    tracks: Float64[np.ndarray, "M 4"],
    label_starts: Int64[np.ndarray, " F1"],
    track_starts: Int64[np.ndarray, " F1"],
) -> Int64[np.ndarray, " F1"]:
    """Number of overlapping pairs of boxes before each moment, then of all moments.

    Args:
        labels: Boxes of labels, in order of the moments.
        tracks: Boxes of tracks, likewise.
        label_starts: First label of each moment, then the number of labels.
        track_starts: Likewise for tracks.
    """
    starts = np.zeros(len(label_starts), np.int64)
    for moment in range(len(label_starts) - 1):
        number = 0
        for label in range(label_starts[moment], label_starts[moment + 1]):
            for track in range(track_starts[moment], track_starts[moment + 1]):
                number += _overlap(labels[label], tracks[track]) > 0
        starts[moment + 1] = starts[moment] + number
    return starts


@no_type_check
@njit(cache=True, nogil=True)
def find_overlapping(
    labels: Float64[np.ndarray, "N 4"],
    tracks: Float64[np.ndarray, "M 4"],
    label_starts: Int64[np.ndarray, " F1"],
    track_starts: Int64[np.ndarray, " F1"],
    starts: Int64[np.ndarray, " F1"],
) -> tuple[
    Int64[np.ndarray, " P"],
    Int64[np.ndarray, " P"],
    Float64[np.ndarray, " P"],
    Float64[np.ndarray, " P"],
]:
    """Label, track, overlap and share of every overlapping pair, moment by moment.

    The share is the overlap divided by all overlaps of both boxes, as HOTA weighs the evidence
    that two tracks are the same.

    Args:
        labels: Boxes of labels, in order of the moments.
        tracks: Boxes of tracks, likewise.
        label_starts: First label of each moment, then the number of labels.
        track_starts: Likewise for tracks.
        starts: What `count_overlapping` found.
    """
    pair_labels, pair_tracks = np.empty(starts[-1], np.int64), np.empty(starts[-1], np.int64)
    overlaps, shares = np.empty(starts[-1]), np.empty(starts[-1])
    for moment in range(len(starts) - 1):
        if starts[moment] == starts[moment + 1]:
            continue
        first_label, first_track = label_starts[moment], track_starts[moment]
        num_labels = label_starts[moment + 1] - first_label
        num_tracks = track_starts[moment + 1] - first_track
        all_overlaps = np.empty((num_labels, num_tracks))
        for row in range(num_labels):
            for column in range(num_tracks):
                all_overlaps[row, column] = _overlap(
                    labels[first_label + row], tracks[first_track + column]
                )
        of_labels, of_tracks = _row_sums(all_overlaps), _column_sums(all_overlaps)
        pair = starts[moment]
        for row in range(num_labels):
            for column in range(num_tracks):
                overlap = all_overlaps[row, column]
                if overlap > 0:
                    total = of_tracks[column] + of_labels[row] - overlap
                    pair_labels[pair], pair_tracks[pair] = first_label + row, first_track + column
                    overlaps[pair] = overlap
                    shares[pair] = overlap / total if total > _EPSILON else 0.0
                    pair += 1
    return pair_labels, pair_tracks, overlaps, shares


@no_type_check
@njit(cache=True, nogil=True)
def _overlap(one: Float64[np.ndarray, "4"], other: Float64[np.ndarray, "4"]) -> float:
    """Intersection over union of two boxes x y w h; 0 for boxes without area."""
    right, other_right = one[0] + one[2], other[0] + other[2]
    bottom, other_bottom = one[1] + one[3], other[1] + other[3]
    width = min(right, other_right) - max(one[0], other[0])
    height = min(bottom, other_bottom) - max(one[1], other[1])
    if width <= 0 or height <= 0:
        return 0.0
    # From the corners, as the reference: `x + w - x` is not always `w`.
    area = (right - one[0]) * (bottom - one[1])
    other_area = (other_right - other[0]) * (other_bottom - other[1])
    if area <= _EPSILON or other_area <= _EPSILON:
        return 0.0
    intersection = width * height
    union = area + other_area - intersection
    return intersection / union if union > _EPSILON else 0.0


@no_type_check
@njit(cache=True, nogil=True)
def _row_sums(values: Float64[np.ndarray, "N M"]) -> Float64[np.ndarray, " N"]:
    """Bitwise `values.sum(1)`."""
    sums = np.empty(values.shape[0])
    for row in range(values.shape[0]):
        sums[row] = _pairwise_sum(values[row])
    return sums


@no_type_check
@njit(cache=True, nogil=True)
def _column_sums(values: Float64[np.ndarray, "N M"]) -> Float64[np.ndarray, " M"]:
    """Bitwise `values.sum(0)`, which adds up row by row, but a single column pairwise."""
    if values.shape[1] == 1:
        return np.array([_pairwise_sum(values[:, 0].copy())])
    sums = np.zeros(values.shape[1])
    for row in range(values.shape[0]):
        sums += values[row]
    return sums


@no_type_check
@njit(cache=True, nogil=True)
def _pairwise_sum(values: Float64[np.ndarray, " N"]) -> float:
    """Bitwise `values.sum()`.

    Source: NumPy, `numpy/_core/src/umath/loops_utils.h.src`, `pairwise_sum`.
    """
    number = len(values)
    if number > _BLOCK:
        half = number // 2
        half -= half % _LANES
        return _pairwise_sum(values[:half]) + _pairwise_sum(values[half:])
    total, done = 0.0, 0
    if number >= _LANES:
        lanes = values[:_LANES].copy()
        done = number - number % _LANES
        for first in range(_LANES, done, _LANES):
            for lane in range(_LANES):
                lanes[lane] += values[first + lane]
        total = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) + (
            (lanes[4] + lanes[5]) + (lanes[6] + lanes[7])
        )
    for index in range(done, number):
        total += values[index]
    return total
