"""When boxes of tracks are compared with labels, and where tracks are then."""

from dataclasses import replace

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.evaluation.matching import concatenated_ranges
from etram_pipeline.evaluation.tracks.boxes import TrackBoxes
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.labels.moments import fill_gaps

_SECOND_US = 1_000_000


def scored_moments(
    label_times_us: Int64[np.ndarray, " L"], protocol: TrackProtocol
) -> Int64[np.ndarray, " M"]:
    """Times at which boxes are compared, in order.

    Args:
        label_times_us: Time of every label of a recording, of whatever class.
        protocol: Whether moments without labels count as well.
    """
    times_us = np.unique(label_times_us)
    return times_us if protocol.moments == "labelled" else fill_gaps(times_us)


def boxes_at(
    boxes: TrackBoxes, moments_us: Int64[np.ndarray, " M"], interpolate_us: int
) -> TrackBoxes:
    """Boxes of tracks at the given times.

    Args:
        boxes: Boxes of tracks at any time.
        moments_us: The times, ascending.
        interpolate_us: Largest difference in time between two boxes of a track between which it
            is on a straight line; it is never continued beyond its ends. 0: only boxes at exactly
            these times.
    """
    at_moment = boxes.take(np.isin(boxes.times_us, moments_us))
    if not interpolate_us or not len(boxes):
        return at_moment
    by_track = boxes.take(np.lexsort((boxes.times_us, boxes.track_ids)))
    gaps_us = np.diff(by_track.times_us)
    is_linked = (np.diff(by_track.track_ids) == 0) & (gaps_us <= interpolate_us)
    before = np.flatnonzero(is_linked)
    first = np.searchsorted(moments_us, by_track.times_us[before], side="right")
    stop = np.searchsorted(moments_us, by_track.times_us[before + 1], side="left")
    between = _between(
        by_track,
        np.repeat(before, stop - first),
        moments_us[concatenated_ranges(first, stop - first)],
    )
    both = _joined(at_moment, between)
    return both.take(np.lexsort((both.track_ids, both.times_us)))


def _between(
    by_track: TrackBoxes, before: Int64[np.ndarray, " N"], times_us: Int64[np.ndarray, " N"]
) -> TrackBoxes:
    """Boxes on the straight line from each box `before` to the next."""
    start_us, stop_us = by_track.times_us[before], by_track.times_us[before + 1]
    share = ((times_us - start_us) / (stop_us - start_us))[:, None]
    low, high = by_track.boxes_xywh[before], by_track.boxes_xywh[before + 1]
    # As exact as the boxes of tables, so that it does not matter where a box was interpolated.
    boxes_xywh = (low + share * (high - low)).astype(np.float32).astype(np.float64)
    return replace(by_track.take(before), times_us=times_us, boxes_xywh=boxes_xywh)


def _joined(one: TrackBoxes, other: TrackBoxes) -> TrackBoxes:
    return TrackBoxes(
        np.concatenate([one.times_us, other.times_us]),
        np.concatenate([one.boxes_xywh, other.boxes_xywh]),
        np.concatenate([one.track_ids, other.track_ids]),
        np.concatenate([one.class_ids, other.class_ids]),
        np.concatenate([one.is_ignored, other.is_ignored]),
    )


def durations(boxes: TrackBoxes) -> Int64[np.ndarray, " N"]:
    """How long the track of each box lasts, from its first box to its last, in microseconds."""
    if not len(boxes):
        return np.zeros(0, np.int64)
    order = np.lexsort((boxes.times_us, boxes.track_ids))
    times_us, track_ids = boxes.times_us[order], boxes.track_ids[order]
    first, stop = (np.searchsorted(track_ids, boxes.track_ids, side) for side in ("left", "right"))
    lasting: Int64[np.ndarray, " N"] = times_us[stop - 1] - times_us[first]
    return lasting


def recent_speeds(boxes: TrackBoxes) -> Float64[np.ndarray, " N"]:
    """Speed of each box over the last second, in box sizes per second.

    It is measured from the earliest box of the track within the second before; the first box of a
    track has the speed of the way to the next one. The speed is infinite if nothing tells it.
    """
    order = np.lexsort((boxes.times_us, boxes.track_ids))
    times_us, centres = boxes.times_us[order], boxes.centres[order]
    since = _first_of_last_second(boxes.track_ids[order], times_us)
    row = np.arange(len(order))
    following = np.minimum(row + 1, max(len(row) - 1, 0))
    # The next box is of the same track, and near in time, if this one is in its last second.
    reference = np.where((since == row) & (since[following] == row), following, since)
    elapsed_s = np.abs(times_us - times_us[reference]) / _SECOND_US
    way = np.linalg.norm(centres - centres[reference], axis=1)
    scale = elapsed_s * boxes.sizes[order]
    speeds = np.full(len(order), np.inf)
    speeds[order] = np.divide(way, scale, out=speeds.copy(), where=scale > 0)
    return speeds


def _first_of_last_second(
    track_ids: Int64[np.ndarray, " N"], times_us: Int64[np.ndarray, " N"]
) -> Int64[np.ndarray, " N"]:
    """First row of the same track that is at most a second older; of rows by track, then time."""
    if not len(times_us):
        return np.zeros(0, np.int64)
    _, track = np.unique(track_ids, return_inverse=True)
    since_start_us = times_us - times_us.min()
    # One axis of time for all tracks, with more than a second between any two of them.
    axis_us = track * (since_start_us.max() + 2 * _SECOND_US) + since_start_us
    first: Int64[np.ndarray, " N"] = np.searchsorted(axis_us, axis_us - _SECOND_US, side="left")
    return first
