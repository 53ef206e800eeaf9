"""Compiled loops that match labels and track boxes, moment by moment.

They match where the best matching is beyond doubt, and leave the rest to the Hungarian algorithm.
`no_type_check` hides them from the run-time type checks of the tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int64
from numba import njit

_SURE = 1e-9  # far above the rounding errors of the Hungarian algorithm, far below any score


@no_type_check
@njit(cache=True, nogil=True)
def match_moments(
    starts: Int64[np.ndarray, " F1"],
    pairs: tuple[Int64[np.ndarray, " P"], Int64[np.ndarray, " P"]],
    scores: Float64[np.ndarray, " P"],
    is_matched: Bool[np.ndarray, " P"],
    is_doubtful: Bool[np.ndarray, " F"],
) -> None:
    """Match the pairs of all moments with the largest sum of scores.

    Args:
        starts: First pair of each moment, then the number of pairs.
        pairs: Label and track of each pair.
        scores: Their scores, not negative; pairs of score 0 are not matched.
        is_matched: Filled for all moments that are not doubtful.
        is_doubtful: Filled; whether the Hungarian algorithm has to decide.
    """
    for moment in range(len(starts) - 1):
        first, stop = starts[moment], starts[moment + 1]
        is_doubtful[moment] = first < stop and not _match_surely(
            pairs[0][first:stop], pairs[1][first:stop], scores[first:stop], is_matched[first:stop]
        )


@no_type_check
@njit(cache=True, nogil=True)
def follow_labels(
    moment: int,
    timeline: tuple[Int64[np.ndarray, " F1"], Bool[np.ndarray, " F"]],
    pairs: tuple[Int64[np.ndarray, " P"], ...],
    scores: Float64[np.ndarray, " P"],
    history: tuple[Int64[np.ndarray, " _"], ...],
    is_matched: Bool[np.ndarray, " P"],
) -> int:
    """Match moment by moment, former partners first, until the matching is doubtful.

    Args:
        moment: Where to begin.
        timeline: First pair of each moment, then the number of pairs; and whether a moment has
            both labels and tracks: others leave the history as it is.
        pairs: Label, track, number of the labelled track and number of the track, of each pair.
        scores: Overlaps that are large enough, else 0; 1000 is added for former partners.
        history: As `remember_matches` keeps it.
        is_matched: Filled up to the moment returned.

    Returns:
        The first moment where the Hungarian algorithm has to decide; the number of moments if
        there is none.
    """
    starts, is_compared = timeline
    previous, previous_at, clock = history[1], history[2], history[3]
    for current in range(moment, len(is_compared)):
        if not is_compared[current]:
            continue
        first, stop = starts[current], starts[current + 1]
        for pair in range(first, stop):
            label = pairs[2][pair]
            is_partner = previous_at[label] == clock[0] and previous[label] == pairs[3][pair]
            if scores[pair] > 0 and is_partner:
                scores[pair] += 1000.0
        if first < stop and not _match_surely(
            pairs[0][first:stop], pairs[1][first:stop], scores[first:stop], is_matched[first:stop]
        ):
            return current
        remember_matches(
            pairs[2][first:stop], pairs[3][first:stop], is_matched[first:stop], history
        )
    return len(is_compared)


@no_type_check
@njit(cache=True, nogil=True)
def remember_matches(
    labels: Int64[np.ndarray, " P"],
    tracks: Int64[np.ndarray, " P"],
    is_matched: Bool[np.ndarray, " P"],
    history: tuple[Int64[np.ndarray, " _"], ...],
) -> None:
    """Take down the matches of one moment.

    Args:
        labels: Numbers of labelled tracks.
        tracks: Numbers of tracks.
        is_matched: Which pairs are matched.
        history: Of each labelled track: the last partner, the partner at the last moment, and when
            that was (a moment as `clock` counts them); the clock; the number of switches, of
            matches and of matches that follow none, by labelled track.
    """
    last, previous, previous_at, clock, switches, matches, beginnings = history
    clock[0] += 1
    for pair in range(len(labels)):
        if is_matched[pair]:
            label, track = labels[pair], tracks[pair]
            switches[label] += last[label] >= 0 and last[label] != track
            beginnings[label] += previous_at[label] != clock[0] - 1
            matches[label] += 1
            last[label] = previous[label] = track
            previous_at[label] = clock[0]


@no_type_check
@njit(cache=True, nogil=True)
def _match_surely(
    rows: Int64[np.ndarray, " P"],
    columns: Int64[np.ndarray, " P"],
    scores: Float64[np.ndarray, " P"],
    is_matched: Bool[np.ndarray, " P"],
) -> bool:
    """Match the pairs of one moment if the best matching is beyond doubt.

    It is if the best pairs of all rows are in different columns, or those of all columns in
    different rows, and no second pair comes near them.
    """
    return _are_best_apart(rows, columns, scores, is_matched) or _are_best_apart(
        columns, rows, scores, is_matched
    )


@no_type_check
@njit(cache=True, nogil=True)
def _are_best_apart(
    rows: Int64[np.ndarray, " P"],
    columns: Int64[np.ndarray, " P"],
    scores: Float64[np.ndarray, " P"],
    is_matched: Bool[np.ndarray, " P"],
) -> bool:
    best, margin = _best_of_rows(rows, scores)
    first_column = columns.min()
    is_taken = np.zeros(columns.max() - first_column + 1, np.bool_)
    for row in range(len(best)):
        if best[row] >= 0:
            column = columns[best[row]] - first_column
            if is_taken[column] or margin[row] < _SURE:
                return False
            is_taken[column] = True
    is_matched[:] = False
    for pair in best:
        if pair >= 0:
            is_matched[pair] = True
    return True


@no_type_check
@njit(cache=True, nogil=True)
def _best_of_rows(
    rows: Int64[np.ndarray, " P"], scores: Float64[np.ndarray, " P"]
) -> tuple[Int64[np.ndarray, " R"], Float64[np.ndarray, " R"]]:
    """Best pair of each row, -1 without one, and how much better it is than the second best."""
    first_row = rows.min()
    best = np.full(rows.max() - first_row + 1, -1)
    margin = np.zeros(len(best))
    for pair in range(len(rows)):
        row, score = rows[pair] - first_row, scores[pair]
        if score <= 0:
            continue
        lead = score - (scores[best[row]] if best[row] >= 0 else 0.0)
        if lead > 0:
            best[row], margin[row] = pair, lead
        else:
            margin[row] = min(margin[row], -lead)
    return best, margin
