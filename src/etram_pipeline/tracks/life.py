"""Compiled second half of a window: which tracks are confirmed, rest, set off and end."""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Int64
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
from etram_pipeline.tracks.table import SEEN

_NUM_LAST = 4
"""Speeds whose median is the last speed of a track."""

_USUAL = 0.8
"""Quantile of the speeds of a track that is its usual speed."""


@no_type_check
@njit(cache=True, nogil=True)
def live(
    window: tuple[int, int, Records, Places],
    state: Arrays,
    settings: Records,
    classes: Records,
    output: tuple[Records, Records, int],
) -> tuple[int, int, int]:
    """Confirm tracks, let them rest, set off or end, and report those seen in this window.

    Args:
        window: `Window`, whose detections belong to tracks.
        state: `State`.
        settings: One record of the settings, with times in microseconds.
        classes: Record per class: its group, and whether its members rest.
        output: Rows to fill of the window and of earlier ones, and the id of the next track.

    Returns:
        Number of rows filled of the window, and of earlier ones, and the id of the next track.
    """
    return _live(Window(*window), State(*state), settings[0], classes, output)


@no_type_check
@njit(cache=True, nogil=True)
def _live(
    window: Window,
    state: State,
    settings: Record,
    classes: Records,
    output: tuple[Records, Records, int],
) -> tuple[int, int, int]:
    rows, earlier, next_id = output
    _set_off(window, state, settings, classes)
    num_earlier, next_id = _confirm(window, state, settings, earlier, next_id)
    for place in range(len(state.tracks)):
        if state.tracks[place].status != FREE and state.tracks[place].seen_us != window.time_us:
            _age(window, state, place, settings, classes)
    return _report(window, state, rows), num_earlier, next_id


@no_type_check
@njit(cache=True, nogil=True)
def _set_off(window: Window, state: State, settings: Record, classes: Records) -> None:
    """Let tracks about to be confirmed continue a resting track if they began slowly on its box."""
    tracks = state.tracks
    places = np.empty((2, len(tracks)), np.int64)
    num_resting, num_fresh = 0, 0
    for place in range(len(tracks)):
        if tracks[place].status == RESTING:
            places[0, num_resting] = place
            num_resting += 1
        elif _is_fresh(tracks[place], settings) and _is_slow(window, state, place, settings):
            places[1, num_fresh] = place
            num_fresh += 1
    gain = np.zeros((num_resting, num_fresh))
    for row in range(num_resting):
        for column in range(num_fresh):
            pair = places[0, row], places[1, column]
            gain[row, column] = _likeness(state, pair, settings, classes)
    partner = assign(gain)
    for row in range(num_resting):
        if partner[row] >= 0:
            _continue(state, places[0, row], places[1, partner[row]])


@no_type_check
@njit(cache=True, nogil=True)
def _is_fresh(track: Record, settings: Record) -> bool:
    return track.status == TENTATIVE and track.hits >= settings.confirm_hits


@no_type_check
@njit(cache=True, nogil=True)
def _is_slow(window: Window, state: State, place: int, settings: Record) -> bool:
    """Whether a new track has moved slowly from its first detection to its last."""
    last = 0
    while window.place[last] != place:
        last += 1
    first = state.early[place, 0]
    x, y, _, _ = box_of(first)
    u, v, _, _ = box_of(window.found[last])
    seconds = max(1e-6, (window.time_us - first.t) / 1e6)
    size = np.sqrt(state.tracks[place].w * state.tracks[place].h)
    return np.hypot(u - x, v - y) < settings.set_off_speed * size * seconds


@no_type_check
@njit(cache=True, nogil=True)
def _likeness(state: State, pair: tuple[int, int], settings: Record, classes: Records) -> float:
    """Overlap of a resting track with the start of a new one; 0 if they are different users."""
    resting, fresh = pair
    track, first = state.tracks[resting], state.early[fresh, 0]
    ratio = first.w * first.h / (track.w * track.h)
    alike = 1 / settings.rest_area_ratio < ratio < settings.rest_area_ratio
    kin = classes[_vote(state, resting)].group == classes[_vote(state, fresh)].group
    overlap = overlap_of((track.x, track.y, track.w, track.h), box_of(first), 0.0)
    return overlap if alike and kin and overlap >= settings.rest_iou else 0.0


@no_type_check
@njit(cache=True, nogil=True)
def _continue(state: State, resting: int, fresh: int) -> None:
    """Let a resting track go on as a new one, whose place becomes that of the new one."""
    old, new = state.tracks[resting], state.tracks[fresh]
    new.track_id = old.track_id
    new.hits += old.hits
    new.num_speeds = old.num_speeds
    for class_id in range(state.votes.shape[1]):
        state.votes[fresh, class_id] += state.votes[resting, class_id]
    for number in range(state.speeds.shape[1]):  # loops compile in a third of the time of slices
        state.speeds[fresh, number] = state.speeds[resting, number]
    old.status = FREE


@no_type_check
@njit(cache=True, nogil=True)
def _vote(state: State, place: int) -> int:
    best = 0
    for class_id in range(state.votes.shape[1]):
        if state.votes[place, class_id] > state.votes[place, best]:
            best = class_id
    return best


@no_type_check
@njit(cache=True, nogil=True)
def _confirm(
    window: Window, state: State, settings: Record, earlier: Records, next_id: int
) -> tuple[int, int]:
    """Confirm new tracks, and write down their rows of earlier windows."""
    number = 0
    for found in range(len(window.place)):
        place = window.place[found]
        if place < 0 or not _is_fresh(state.tracks[place], settings):
            continue
        track = state.tracks[place]
        track.status = MOVING
        if track.track_id == 0:
            track.track_id = next_id
            next_id += 1
        for hit in range(settings.confirm_hits - 1):
            earlier[number] = state.early[place, hit]
            earlier[number].track_id = track.track_id
            earlier[number].class_id = _vote(state, place)
            number += 1
    return number, next_id


@no_type_check
@njit(cache=True, nogil=True)
def _age(window: Window, state: State, place: int, settings: Record, classes: Records) -> None:
    """Let a track that was not detected in the window rest, or end it."""
    track = state.tracks[place]
    unseen_us = window.time_us - track.seen_us
    far_x = max(-track.x, track.x - settings.width)
    far_y = max(-track.y, track.y - settings.height)
    outside = max(far_x, far_y) > settings.border_px
    if track.status == TENTATIVE:
        ends = outside or unseen_us > settings.tentative_us
    elif track.status == RESTING:
        ends = unseen_us > settings.rest_us
    else:
        ends = outside or unseen_us > settings.coast_us
        due = unseen_us - window.step_us <= settings.rest_after_us < unseen_us
        may_rest = settings.rest_us > 0 and classes[_vote(state, place)].rests
        may_rest = may_rest and not outside and not _leaves(track, settings)
        if due and may_rest and _has_braked(state, place, settings):
            track.status, track.vx, track.vy = RESTING, 0.0, 0.0
            ends = False
    if ends:
        track.status = FREE


@no_type_check
@njit(cache=True, nogil=True)
def _leaves(track: Record, settings: Record) -> bool:
    """Whether a track moves out of the picture, whose border cuts its box and so slows its centre.

    Otherwise the next road user that enters there would be taken for the same one.
    """
    right, bottom = settings.width - settings.border_px, settings.height - settings.border_px
    return (
        (track.vx < 0 and track.x - track.w / 2 < settings.border_px)
        or (track.vx > 0 and track.x + track.w / 2 > right)
        or (track.vy < 0 and track.y - track.h / 2 < settings.border_px)
        or (track.vy > 0 and track.y + track.h / 2 > bottom)
    )


@no_type_check
@njit(cache=True, nogil=True)
def _has_braked(state: State, place: int, settings: Record) -> bool:
    """Whether a track was slow when last seen, and slower than usual: it stops, not hides."""
    number, length = state.tracks[place].num_speeds, state.speeds.shape[1]
    if number <= _NUM_LAST:
        return False
    last = np.empty(_NUM_LAST, np.float32)
    for back in range(_NUM_LAST):
        last[back] = state.speeds[place, (number - 1 - back) % length]
    last_speed = _quantile(last, 0.5)
    usual_speed = _quantile(state.speeds[place, : min(number, length)], _USUAL)
    return last_speed < settings.rest_speed and last_speed < settings.brake_ratio * usual_speed


@no_type_check
@njit(cache=True, nogil=True)
def _quantile(values: Float32[np.ndarray, " N"], share: float) -> float:
    """As `np.quantile`; `np.sort` alone takes Numba longer to compile than all of this file."""
    ranked = np.empty(len(values), np.float32)
    for number in range(len(values)):
        at = number
        while at > 0 and ranked[at - 1] > values[number]:
            ranked[at] = ranked[at - 1]
            at -= 1
        ranked[at] = values[number]
    position = share * (len(ranked) - 1)
    below = int(position)
    above = min(below + 1, len(ranked) - 1)
    return ranked[below] + (position - below) * (ranked[above] - ranked[below])


@no_type_check
@njit(cache=True, nogil=True)
def _report(window: Window, state: State, rows: Records) -> int:
    """Write a row for each confirmed track seen in the window, in order of the ids."""
    order = _by_id(window, state)
    for number in range(len(order)):
        row, detection = rows[number], window.found[order[number]]
        place = window.place[order[number]]
        row.t, row.track_id = window.time_us, state.tracks[place].track_id
        row.class_id, row.detected_class_id = _vote(state, place), detection.class_id
        row.x, row.y, row.w, row.h = detection.x, detection.y, detection.w, detection.h
        row.score, row.state = detection.score, SEEN
        row.x_m = row.y_m = row.speed_m_s = np.nan
    return len(order)


@no_type_check
@njit(cache=True, nogil=True)
def _by_id(window: Window, state: State) -> Int64[np.ndarray, " N"]:
    """Detections of confirmed tracks, in order of the tracks' ids."""
    order = np.empty(len(window.place), np.int64)
    number = 0
    for found in range(len(window.place)):
        place = window.place[found]
        if place < 0 or state.tracks[place].status != MOVING:
            continue
        at, track_id = number, state.tracks[place].track_id
        while at > 0 and state.tracks[window.place[order[at - 1]]].track_id > track_id:
            order[at] = order[at - 1]
            at -= 1
        order[at] = found
        number += 1
    return order[:number]
