"""Compiled first half of a window: whose detections are found in it.

All functions but those of `assignment` are in one file, see there.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Int64
from numba import njit

from etram_pipeline.tracks.assignment import assign, box_of, overlap_of
from etram_pipeline.tracks.state import (
    FREE,
    MOVING,
    RESTING,
    TENTATIVE,
    Arrays,
    Places,
    Record,
    Records,
    State,
    Window,
)

_PREFERENCE = 0.1
"""Overlap by which a confirmed track is preferred to one that is not."""

_NUM_UNSETTLED = 4
"""Detections after which the speed of a track is known."""


@no_type_check
@njit(cache=True, nogil=True)
def associate(window: tuple[int, int, Records, Places], state: Arrays, settings: Records) -> None:
    """Predict all tracks, give detections to them, and start tracks for those that are left.

    The arguments are plain tuples, since named ones take Numba a microsecond each to unpack.

    Args:
        window: `Window`; its detections are reordered, and their places are filled in.
        state: `State`, with at least as many free places as there are detections.
        settings: One record of the settings.
    """
    _associate(Window(*window), State(*state), settings[0])


@no_type_check
@njit(cache=True, nogil=True)
def _associate(window: Window, state: State, settings: Record) -> None:
    for place in range(len(state.tracks)):
        _predict(state.tracks[place], window.step_us / 1e6, settings.acceleration)
    num_found = _best_of_each_object(window.found, settings)
    window.place[:] = -1
    num_high = 0
    while num_high < num_found and window.found[num_high].score >= settings.high_score:
        num_high += 1
    _match(window, (0, num_high), state, settings, TENTATIVE)
    _match(window, (num_high, num_found), state, settings, MOVING)
    _start(window, num_found, state, settings)


@no_type_check
@njit(cache=True, nogil=True)
def _predict(track: Record, step_s: float, acceleration: float) -> None:
    """Move a track with constant velocity; variances are in squares of its size."""
    if track.status in (FREE, RESTING):
        return
    track.x += track.vx * step_s
    track.y += track.vy * step_s
    noise = acceleration * acceleration
    track.place_var += step_s * (2 * track.cross_var + step_s * track.speed_var)
    track.place_var += noise * step_s**4 / 4
    track.cross_var += step_s * track.speed_var + noise * step_s**3 / 2
    track.speed_var += noise * step_s**2


@no_type_check
@njit(cache=True, nogil=True)
def _best_of_each_object(found: Records, settings: Record) -> int:
    """Move the best detection of each object to the front, best first; returns their number."""
    order = np.empty(len(found), np.int64)
    number = 0
    for row in range(len(found)):
        if _is_usable(found[row], settings.low_score):
            at = number
            while at > 0 and _precedes(found[row], found[order[at - 1]]):
                order[at] = order[at - 1]
                at -= 1
            order[at] = row
            number += 1
    ranked = found[order[:number]]
    kept = 0
    for row in range(number):
        best = 0.0
        for other in range(kept):
            best = max(best, overlap_of(box_of(ranked[row]), box_of(found[other]), 0.0))
        if best < settings.same_object_iou:
            found[kept] = ranked[row]
            kept += 1
    return kept


@no_type_check
@njit(cache=True, nogil=True)
def _is_usable(detection: Record, low_score: float) -> bool:
    known = np.isfinite(detection.x + detection.y + detection.w + detection.h)
    return known and detection.w > 0 and detection.h > 0 and detection.score >= low_score


@no_type_check
@njit(cache=True, nogil=True)
def _precedes(one: Record, other: Record) -> bool:
    """Whether a detection is the better one; never depends on the order of the rows."""
    if one.score != other.score:
        return one.score > other.score
    if one.x != other.x:
        return one.x < other.x
    if one.y != other.y:
        return one.y < other.y
    if one.w != other.w:
        return one.w < other.w
    if one.h != other.h:
        return one.h < other.h
    return one.class_id < other.class_id


@no_type_check
@njit(cache=True, nogil=True)
def _match(
    window: Window, rows: tuple[int, int], state: State, settings: Record, status: int
) -> None:
    """Give some detections to the tracks that move and have at least this status."""
    first, stop = rows
    tracks, places = state.tracks, _that_move(window, state.tracks, status)
    min_iou = settings.min_iou if status == TENTATIVE else settings.min_iou_low
    gain = np.zeros((len(places), stop - first))
    for row in range(len(places)):
        track = tracks[places[row]]
        box = track.x, track.y, track.w, track.h
        for column in range(stop - first):
            detected = box_of(window.found[first + column])
            overlap = overlap_of(box, detected, settings.margin)
            if overlap >= min_iou:
                gain[row, column] = overlap + _PREFERENCE * (track.status == MOVING)
    partner = assign(gain)
    for row in range(len(places)):
        if partner[row] >= 0:
            window.place[first + partner[row]] = places[row]
            _correct(window, first + partner[row], state, settings)


@no_type_check
@njit(cache=True, nogil=True)
def _that_move(window: Window, tracks: Records, status: int) -> Int64[np.ndarray, " T"]:
    """Places of the tracks that move, have at least this status, and are not matched yet."""
    places = np.empty(len(tracks), np.int64)
    number = 0
    for place in range(len(tracks)):
        track = tracks[place]
        if status <= track.status <= MOVING and track.seen_us < window.time_us:
            places[number] = place
            number += 1
    return places[:number]


@no_type_check
@njit(cache=True, nogil=True)
def _correct(window: Window, row: int, state: State, settings: Record) -> None:
    """Correct the prediction of a track by its detection."""
    place, detection = window.place[row], window.found[row]
    track = state.tracks[place]
    x, y, w, h = box_of(detection)
    variance = track.place_var + settings.noise * settings.noise
    place_gain, speed_gain = track.place_var / variance, track.cross_var / variance
    off_x, off_y = x - track.x, y - track.y
    track.x += place_gain * off_x
    track.y += place_gain * off_y
    track.vx += speed_gain * off_x
    track.vy += speed_gain * off_y
    track.speed_var -= speed_gain * track.cross_var
    track.cross_var -= place_gain * track.cross_var
    track.place_var -= place_gain * track.place_var
    track.w += settings.size_gain * (w - track.w)
    track.h += settings.size_gain * (h - track.h)
    _note(window, row, state)


@no_type_check
@njit(cache=True, nogil=True)
def _note(window: Window, row: int, state: State) -> None:
    """Remember a detection: its class, the speed of the track, its row before confirmation."""
    place, detection = window.place[row], window.found[row]
    track = state.tracks[place]
    state.votes[place, detection.class_id] += detection.score
    if track.hits >= _NUM_UNSETTLED:
        speed = np.hypot(track.vx, track.vy) / np.sqrt(track.w * track.h)
        state.speeds[place, track.num_speeds % state.speeds.shape[1]] = speed
        track.num_speeds += 1
    if track.status == TENTATIVE and track.hits < state.early.shape[1]:
        _fill(state.early[place, track.hits], window.time_us, detection)
    track.hits += 1
    track.seen_us = window.time_us


@no_type_check
@njit(cache=True, nogil=True)
def _fill(row: Record, time_us: int, detection: Record) -> None:
    row.t, row.score, row.detected_class_id = time_us, detection.score, detection.class_id
    row.x, row.y, row.w, row.h = detection.x, detection.y, detection.w, detection.h


@no_type_check
@njit(cache=True, nogil=True)
def _start(window: Window, num_found: int, state: State, settings: Record) -> None:
    """Start a track for each good detection that continues none."""
    place = 0
    for row in range(num_found):
        if window.place[row] >= 0 or window.found[row].score < settings.start_score:
            continue
        while state.tracks[place].status != FREE:
            place += 1
        track = state.tracks[place]
        track.status, track.track_id, track.hits, track.num_speeds = TENTATIVE, 0, 0, 0
        track.x, track.y, track.w, track.h = box_of(window.found[row])
        track.vx, track.vy = 0.0, 0.0
        track.place_var, track.cross_var, track.speed_var = 0.1, 0.0, 4.0
        state.votes[place] = 0.0
        window.place[row] = place
        _note(window, row, state)
