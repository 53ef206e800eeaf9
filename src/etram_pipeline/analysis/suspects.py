"""Labels that are probably wrong, most suspicious first."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from etram_pipeline.analysis.agreement import NOT_FOUND, Agreement, found_classes, sizes_of
from etram_pipeline.analysis.label_pairs import LabelPairs, pair_labels
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TrackTable

SuspectKind = Literal["missing_label", "wrong_class", "ghost_label", "misplaced_box"]

_Rows = Int64[np.ndarray, " S"]

_GAP = 2
"""Labelled moments by which two rows of one suspect may lie apart; one may be missed."""
_HALF_SURE = 3
"""Moments of a suspect after which its duration counts by half."""
_WELL_PLACED = 0.5
"""IoU from which a box counts as well placed."""
_STANDING = 0.1
"""Weight of a label that does not move: what stands still causes no events."""
_TRAVEL = 0.5
"""Distance, in sides of its box, that a moving label covers at least."""

UNCHANGED = TrackSettings(smooth=0, bridge_s=0, least_travel=0, companions=None)
"""Settings with which tracks consist of nothing but detections."""


@dataclass(frozen=True)
class Suspect:
    """A label error that is probable.

    Attributes:
        kind: `missing_label`, `wrong_class`, `ghost_label` or `misplaced_box`.
        recording: Recording, as `<split>/<name>`.
        start_us: First labelled moment concerned, in microseconds.
        stop_us: Last such moment.
        middle_us: Moment of the box.
        class_found: Id of the detected class; None for a label that was not found.
        class_labelled: Id of the labelled class; None where nothing is labelled.
        track_id: Track id of the labels concerned; None where nothing is labelled.
        mean_score: Mean score of the detections; None for a label that was not found.
        num_moments: Labelled moments concerned.
        box_xywh: Box in the middle of these moments, in px of the sensor: the detected one, or
            that of a label that was not found.
        iou: Mean overlap of detections and labels.
        rate: Share of like cases that are as expected; see `find_suspects`.
        suspicion: 0 to 1.
    """

    kind: SuspectKind
    recording: str
    start_us: int
    stop_us: int
    middle_us: int
    class_found: int | None
    class_labelled: int | None
    track_id: int | None
    mean_score: float | None
    num_moments: int
    box_xywh: tuple[float, float, float, float]
    iou: float
    rate: float
    suspicion: float


def stable_tracks(
    detections: DetectionTable,
    searched_us: Int64[np.ndarray, " W"],
    sensor: Observed,
    class_names: Sequence[str],
    settings: TrackSettings = UNCHANGED,
) -> TrackTable:
    """Detections that are stable over time, as tracks whose boxes are those detected.

    Unlike the tracks of which traffic is counted, they may stay where they are.

    Args:
        detections: Of one recording.
        searched_us: Ends of all windows that were searched, in microseconds.
        sensor: Size of its sensor.
        class_names: Name of each class id.
        settings: How they are tracked; by default, for scores as a detector gives them.
    """
    from etram_pipeline.tracks.following import track_recording

    return track_recording(detections, searched_us, sensor, class_names, settings)


def find_suspects(
    labels: Mapping[str, LabelledFrames], tracks: Mapping[str, TrackTable]
) -> list[Suspect]:
    """Suspected label errors of some recordings, most suspicious first.

    Tracks are compared with labels at labelled moments only. The suspicion of a case that lasts n
    moments is n / (n + 3), times:

    * `missing_label`, a track without a label: its mean score, the share of its box outside all
      labels, and the share of the other tracks of its class that are labelled;
    * `wrong_class`, a track of another class than the label it overlaps by half: its mean score,
      and the share of the other labels of that class that are not found as this one;
    * `ghost_label`, a label without a track: the share of the other labels of its class and size
      that are found, the share of its object's life that is not, and the share of its box outside
      other labels; a tenth of it if it does not move, since then it causes no events;
    * `misplaced_box`, a track of the label's class that overlaps it by less than half: its mean
      score, 1 less the overlap, and the share of the other labels of the class that overlap
      their tracks by more.

    Args:
        labels: Labelled moments by recording.
        tracks: Tracks of the same and maybe other recordings.
    """
    pairs = {key: pair_labels(frames, tracks[key]) for key, frames in labels.items()}
    usual = Agreement(pairs)
    found = [
        suspect
        for key, of_recording in pairs.items()
        for search in (_missing, _wrong, _ghosts, _misplaced)
        for suspect in search(key, of_recording, usual)
    ]
    return sorted(found, key=lambda each: (-each.suspicion, each.recording, each.start_us))


def _missing(key: str, pairs: LabelPairs, usual: Agreement) -> Iterator[Suspect]:
    tracks, ids = pairs.tracks, pairs.tracks["track_id"].astype(np.int64)
    for rows in _runs(np.flatnonzero(pairs.label_of_track < 0), ids, pairs.frame_of_track):
        rate = usual.labelled(key, int(ids[rows[0]]), int(tracks["class_id"][rows[0]]))
        weight = float(1 - pairs.covered_track[rows].mean()) * rate
        yield _suspect("missing_label", key, pairs, (rows, None), (rate, weight))


def _wrong(key: str, pairs: LabelPairs, usual: Agreement) -> Iterator[Suspect]:
    found, labelled = found_classes(pairs), pairs.labels["class_id"].astype(np.int64)
    is_other = (found != NOT_FOUND) & (found != labelled) & (pairs.iou >= _WELL_PLACED)
    groups = pairs.objects * (found.max(initial=0) + 1) + found
    for rows in _runs(np.flatnonzero(is_other), groups, pairs.frame_of_label):
        thing, one, other = (int(each[rows[0]]) for each in (pairs.objects, labelled, found))
        rate = usual.confused(key, thing, one, other)
        sides = pairs.track_of_label[rows], rows
        yield _suspect("wrong_class", key, pairs, sides, (rate, 1 - rate))


def _ghosts(key: str, pairs: LabelPairs, usual: Agreement) -> Iterator[Suspect]:
    alone = np.flatnonzero(pairs.track_of_label < 0)
    for rows in _runs(alone, pairs.objects, pairs.frame_of_label):
        thing, class_id = int(pairs.objects[rows[0]]), int(pairs.labels["class_id"][rows[0]])
        rate = usual.found(key, thing, class_id, int(np.median(sizes_of(pairs.labels[rows]))))
        unseen = float((pairs.track_of_label[pairs.objects == thing] < 0).mean())
        clear = float(1 - pairs.covered_label[rows].mean())
        weight = rate * unseen * clear * _motion(pairs.labels[rows])
        yield _suspect("ghost_label", key, pairs, (None, rows), (rate, weight))


def _misplaced(key: str, pairs: LabelPairs, usual: Agreement) -> Iterator[Suspect]:
    found, labelled = found_classes(pairs), pairs.labels["class_id"].astype(np.int64)
    chosen = np.flatnonzero((found == labelled) & (pairs.iou < _WELL_PLACED))
    for rows in _runs(chosen, pairs.objects, pairs.frame_of_label):
        iou = float(pairs.iou[rows].mean())
        rate = usual.placed_better(key, int(pairs.objects[rows[0]]), int(labelled[rows[0]]), iou)
        sides = pairs.track_of_label[rows], rows
        yield _suspect("misplaced_box", key, pairs, sides, (rate, rate * (1 - iou)))


def _runs(
    chosen: Int64[np.ndarray, " N"],
    groups: Int64[np.ndarray, " R"],
    frames: Int64[np.ndarray, " R"],
) -> Iterator[Int64[np.ndarray, " S"]]:
    """Chosen rows of each group whose moments follow each other, in order of time."""
    if not len(chosen):
        return
    ordered = chosen[np.lexsort((frames[chosen], groups[chosen]))]
    apart = (np.diff(groups[ordered]) != 0) | (np.diff(frames[ordered]) > _GAP)
    yield from np.split(ordered, np.flatnonzero(apart) + 1)


def _motion(labels: np.ndarray) -> float:
    """Weight of labels by whether they move: `_STANDING` to 1."""
    x, y, w, h = (labels[name].astype(np.float64) for name in ("x", "y", "w", "h"))
    side = max(float(np.median(np.sqrt(w * h))), 1.0)
    travel = float(np.hypot(np.ptp(x + w / 2), np.ptp(y + h / 2))) / side
    return max(_STANDING, min(1.0, travel / _TRAVEL))


def _suspect(
    kind: SuspectKind,
    key: str,
    pairs: LabelPairs,
    sides: tuple[_Rows | None, _Rows | None],
    rate_and_weight: tuple[float, float],
) -> Suspect:
    """A suspect of some rows of the tracks, of the labels, or of both."""
    (tracked, labelled), (rate, weight) = sides, rate_and_weight
    found = pairs.tracks[[] if tracked is None else tracked]
    truth = pairs.labels[[] if labelled is None else labelled]
    boxes = truth if tracked is None else found
    frames = pairs.frame_of_track[tracked] if labelled is None else pairs.frame_of_label[labelled]
    number, middle = len(frames), len(frames) // 2
    score = 1.0 if tracked is None else float(found["score"].mean())
    x, y, w, h = (float(boxes[name][middle]) for name in ("x", "y", "w", "h"))
    return Suspect(
        kind=kind,
        recording=key,
        start_us=int(pairs.times_us[frames[0]]),
        stop_us=int(pairs.times_us[frames[-1]]),
        middle_us=int(pairs.times_us[frames[middle]]),
        class_found=None if tracked is None else int(found["class_id"][0]),
        class_labelled=None if labelled is None else int(truth["class_id"][0]),
        track_id=None if labelled is None else int(truth["track_id"][0]),
        mean_score=None if tracked is None else score,
        num_moments=number,
        box_xywh=(x, y, w, h),
        iou=0.0 if labelled is None else float(pairs.iou[labelled].mean()),
        rate=rate,
        suspicion=number / (number + _HALF_SURE) * score * weight,
    )
