"""Labels and tracks of one recording, paired moment by moment."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.table import SEEN, TrackTable

_TOLERANCE_US = 25_000
_MEETING_IOU = 0.1
_LINKING_IOU = 0.3
_PREFERENCE = 0.1
"""Overlap by which a track of the label's class is preferred to one of another class."""


@dataclass(frozen=True)
class LabelPairs:
    """What of a recording was labelled and detected at the labelled moments.

    Attributes:
        labels: Labels, in px of the sensor.
        objects: Labelled object that each label is of.
        frame_of_label: Labelled moment of each label.
        tracks: Detected rows of tracks at labelled moments, in px of the sensor.
        frame_of_track: Labelled moment of each of these rows.
        track_of_label: Row of `tracks` that each label is paired with; -1 for none.
        label_of_track: The reverse.
        iou: Overlap of each label with its partner; 0 without one.
        covered_label: Largest share of each label's box inside another label's.
        covered_track: Largest share of each detected box inside any label's.
        times_us: Time of each labelled moment, in microseconds.
    """

    labels: LabelTable
    objects: Int64[np.ndarray, " L"]
    frame_of_label: Int64[np.ndarray, " L"]
    tracks: TrackTable
    frame_of_track: Int64[np.ndarray, " T"]
    track_of_label: Int64[np.ndarray, " L"]
    label_of_track: Int64[np.ndarray, " T"]
    iou: Float64[np.ndarray, " L"]
    covered_label: Float64[np.ndarray, " L"]
    covered_track: Float64[np.ndarray, " T"]
    times_us: Int64[np.ndarray, " F"]


def pair_labels(frames: LabelledFrames, tracks: TrackTable) -> LabelPairs:
    """Pair the labels of a recording with its tracks at every labelled moment.

    What is detected at other moments is left out: there, nothing says that a road user is not
    labelled. Pairs overlap by an IoU of at least 0.1, and the sum of overlaps is the largest
    possible; a track of the label's class counts for 0.1 more.

    Args:
        frames: Labels of the recording, and its labelled moments.
        tracks: Its tracks.
    """
    from etram_pipeline.tracks.assignment import assign

    tracks, frame_of_track = _at_frames(frames, tracks)
    labels = frames.labels
    frame_of_label = np.searchsorted(frames.times_us, labels["t"]).astype(np.int64)
    track_of_label = np.full(len(labels), -1, np.int64)
    iou, covered_label = np.zeros(len(labels)), np.zeros(len(labels))
    covered_track = np.zeros(len(tracks))
    for frame in range(len(frames)):
        ours, theirs = _rows(frame_of_label, frame), _rows(frame_of_track, frame)
        found, truth = _corners(tracks[theirs]), _corners(labels[ours])
        covered_track[theirs] = covered_share(found, truth).max(axis=1, initial=0)
        around = covered_share(truth, truth)
        np.fill_diagonal(around, 0)
        covered_label[ours] = around.max(axis=1, initial=0)
        overlap = overlaps(truth, found)
        is_same = labels["class_id"][ours][:, None] == tracks["class_id"][theirs][None]
        gain = np.where(overlap >= _MEETING_IOU, overlap + _PREFERENCE * is_same, 0)
        for row, column in enumerate(assign(np.ascontiguousarray(gain)).tolist()):
            if column >= 0:
                track_of_label[ours.start + row] = theirs.start + column
                iou[ours.start + row] = overlap[row, column]
    label_of_track = np.full(len(tracks), -1, np.int64)
    paired = np.flatnonzero(track_of_label >= 0)
    label_of_track[track_of_label[paired]] = paired
    return LabelPairs(
        labels=labels,
        objects=_objects(labels, frame_of_label, len(frames)),
        frame_of_label=frame_of_label,
        tracks=tracks,
        frame_of_track=frame_of_track,
        track_of_label=track_of_label,
        label_of_track=label_of_track,
        iou=iou,
        covered_label=covered_label,
        covered_track=covered_track,
        times_us=frames.times_us,
    )


def overlaps(
    one: Float64[np.ndarray, "N 4"], other: Float64[np.ndarray, "M 4"]
) -> Float64[np.ndarray, "N M"]:
    """IoU of every two boxes, given by their corners in px."""
    shared = _shared(one, other)
    total = _area(one)[:, None] + _area(other)[None] - shared
    return _ratio(shared, total)


def covered_share(
    one: Float64[np.ndarray, "N 4"], other: Float64[np.ndarray, "M 4"]
) -> Float64[np.ndarray, "N M"]:
    """Share of the area of each box of `one` inside each box of `other`; corners in px."""
    shared = _shared(one, other)
    return _ratio(shared, np.broadcast_to(_area(one)[:, None], shared.shape))


def _ratio(
    some: Float64[np.ndarray, "N M"], total: Float64[np.ndarray, "N M"]
) -> Float64[np.ndarray, "N M"]:
    ratio = np.zeros_like(some)
    np.divide(some, total, out=ratio, where=total > 0)
    return ratio


def _shared(
    one: Float64[np.ndarray, "N 4"], other: Float64[np.ndarray, "M 4"]
) -> Float64[np.ndarray, "N M"]:
    low = np.maximum(one[:, None, :2], other[None, :, :2])
    high = np.minimum(one[:, None, 2:], other[None, :, 2:])
    shared: Float64[np.ndarray, "N M"] = (high - low).clip(min=0).prod(axis=-1)
    return shared


def _area(corners: Float64[np.ndarray, "N 4"]) -> Float64[np.ndarray, " N"]:
    area: Float64[np.ndarray, " N"] = (corners[:, 2:] - corners[:, :2]).prod(axis=1)
    return area


def _corners(table: LabelTable) -> Float64[np.ndarray, "N 4"]:
    x, y, w, h = (table[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    return np.stack([x, y, x + w, y + h], axis=1)


def _rows(frame_of_row: Int64[np.ndarray, " N"], frame: int) -> slice:
    start, stop = np.searchsorted(frame_of_row, [frame, frame + 1]).tolist()
    return slice(start, stop)


def _at_frames(
    frames: LabelledFrames, tracks: TrackTable
) -> tuple[TrackTable, Int64[np.ndarray, " T"]]:
    """Detected rows in the window nearest to each labelled moment, and these moments."""
    tracks = tracks[tracks["state"] == SEEN]
    times_us = np.unique(tracks["t"].astype(np.int64))
    if not len(times_us) or not len(frames):
        return tracks[:0], np.zeros(0, np.int64)
    after = np.searchsorted(times_us, frames.times_us).clip(1, max(1, len(times_us) - 1))
    near = np.stack([times_us[after - 1], times_us[after.clip(max=len(times_us) - 1)]])
    off = np.abs(near - frames.times_us)
    nearest = np.where(off[0] <= off[1], near[0], near[1])
    is_near: Bool[np.ndarray, " F"] = off.min(axis=0) <= _TOLERANCE_US
    picked, frame = np.unique(nearest[is_near], return_index=True)
    frame = np.flatnonzero(is_near)[frame]
    place = np.searchsorted(picked, tracks["t"]).clip(max=max(0, len(picked) - 1))
    kept = picked[place] == tracks["t"] if len(picked) else np.zeros(len(tracks), bool)
    return tracks[kept], frame[place[kept]].astype(np.int64)


def _objects(
    labels: LabelTable, frame_of_label: Int64[np.ndarray, " L"], num_frames: int
) -> Int64[np.ndarray, " L"]:
    """Object of each label: its track id; without ids, labels that overlap from frame to frame."""
    from etram_pipeline.tracks.assignment import assign

    if len(np.unique(labels["track_id"])) > 1:
        return labels["track_id"].astype(np.int64)
    objects = np.arange(len(labels), dtype=np.int64)
    for frame in range(1, num_frames):
        before, now = _rows(frame_of_label, frame - 1), _rows(frame_of_label, frame)
        gain = overlaps(_corners(labels[now]), _corners(labels[before]))
        partner = assign(np.where(gain >= _LINKING_IOU, gain, 0))
        for row, column in enumerate(partner.tolist()):
            if column >= 0:
                objects[now.start + row] = objects[before.start + column]
    return objects
