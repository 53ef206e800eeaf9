"""Precision and recall over all detections, best first: COCO's numbers, computed on arrays."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from etram_pipeline.evaluation.assignment import UNASSIGNED, assign, find_overlaps
from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.protocol import Protocol

RECALLS = np.linspace(0, 1, 101)
"""Recalls at which precision is read."""


@dataclass(frozen=True)
class Curves:
    """Precision and recall by IoU threshold, class and range of areas; -1 without ground truth.

    Area ranges are all areas, then those of the protocol.

    Attributes:
        precision: At `RECALLS`, of the most detections per frame.
        recall: By number of detections per frame.
    """

    precision: Float64[np.ndarray, "T R K A"]
    recall: Float64[np.ndarray, "T K A M"]


@dataclass(frozen=True)
class Outcome:
    """What became of the detections of one class, best first, in one range of areas.

    A detection that finds a label out of the range is neither right nor wrong: it does not count.

    Attributes:
        frames: Frame of each detection.
        ranks: Position of each detection in its frame.
        is_right: Whether each detection finds a label, by IoU threshold.
        is_counted: Whether each detection is right or wrong, by IoU threshold.
        label_frames: Frame of each label to find.
    """

    frames: Int64[np.ndarray, " D"]
    ranks: Int64[np.ndarray, " D"]
    is_right: Bool[np.ndarray, "T D"]
    is_counted: Bool[np.ndarray, "T D"]
    label_frames: Int64[np.ndarray, " L"]


def match_classes(frames: Frames, num_classes: int, protocol: Protocol) -> Iterator[Outcome]:
    """Outcomes class by class, and range of areas by range, that of all areas first.

    Class ids are positions among the `num_classes` that count.
    """
    detections, groups, ranks = best_first(frames, num_classes, protocol.max_detections[-1])
    label_groups = frames.labels.frames * num_classes + frames.labels.class_ids
    overlaps = find_overlaps(
        frames.labels, detections, label_groups, groups, protocol.iou_thresholds[0] - 1e-9
    )
    outside = outside_ranges(frames.labels, protocol)
    candidates, given = assign(overlaps, groups, np.array(protocol.iou_thresholds), outside)
    for class_id in range(num_classes):
        is_class = detections.class_ids == class_id
        rows = np.flatnonzero(is_class)
        rows = rows[np.argsort(-detections.scores[rows], kind="stable")]
        position = np.full(len(detections), UNASSIGNED)
        position[rows] = np.arange(len(rows))
        mine = is_class[candidates]
        ranked = _Ranked(detections.take(rows), ranks[rows], position[candidates[mine]])
        counts = ~outside & (frames.labels.class_ids == class_id)
        for area, bounds in enumerate(area_bounds(protocol)):
            yield ranked.outcome(bounds, given[area][:, mine], counts[area], frames.labels)


@dataclass(frozen=True)
class _Ranked:
    """Detections of one class, best first.

    Attributes:
        boxes: The detections.
        ranks: Position of each in its frame.
        candidates: Position of each detection that overlaps a label.
    """

    boxes: FrameBoxes
    ranks: Int64[np.ndarray, " D"]
    candidates: Int64[np.ndarray, " C"]

    def outcome(
        self,
        bounds: tuple[float, float],
        given: Int32[np.ndarray, "T C"],
        counts: Bool[np.ndarray, " L"],
        labels: FrameBoxes,
    ) -> Outcome:
        """The outcome in one range of areas.

        Args:
            bounds: Least and largest area.
            given: Label that each candidate is given, by IoU threshold.
            counts: Which labels are of the class and in the range.
            labels: All labels.
        """
        areas = self.boxes.areas.astype(np.float64)
        inside = (areas >= bounds[0]) & (areas <= bounds[1])
        is_right = np.zeros((len(given), len(areas)), bool)
        is_counted = np.repeat(inside[None], len(given), axis=0)
        is_found = given != UNASSIGNED
        found_right = is_found & counts[given]
        is_right[:, self.candidates] = found_right
        # A detection that found a label out of range is neither right nor wrong.
        is_counted[:, self.candidates] = np.where(is_found, found_right, inside[self.candidates])
        return Outcome(self.boxes.frames, self.ranks, is_right, is_counted, labels.frames[counts])


def compute_curves(frames: Frames, num_classes: int, protocol: Protocol) -> Curves:
    """Curves of all classes; class ids are positions among the `num_classes` that count.

    Source: pycocotools, `COCOeval.accumulate`; equal to it to the last bit or nearly.
    """
    curves = _no_curves(num_classes, protocol)
    for number, outcome in enumerate(match_classes(frames, num_classes, protocol)):
        place = divmod(number, 1 + len(protocol.area_ranges))
        _fill(curves, place, outcome, protocol)
    return curves


@dataclass(frozen=True)
class Ranking:
    """Detections of one class, best first.

    Attributes:
        scores: Score of each detection; descending.
        is_right: Whether each detection finds a label.
        num_labels: Number of labels to find.
        frames: Frame of each detection.
    """

    scores: Float64[np.ndarray, " D"]
    is_right: Bool[np.ndarray, " D"]
    num_labels: int
    frames: Int64[np.ndarray, " D"]


def rank_detections(frames: Frames, num_classes: int, protocol: Protocol) -> list[Ranking]:
    """Detections of each class at the protocol's `curve_iou`, which its curves are drawn from."""
    detections, groups, _ = best_first(frames, num_classes, protocol.max_detections[-1])
    labels, iou = frames.labels, protocol.curve_iou
    label_groups = labels.frames * num_classes + labels.class_ids
    overlaps = find_overlaps(labels, detections, label_groups, groups, iou - 1e-9)
    none_ignored = np.zeros((1, len(labels)), bool)
    candidates, given = assign(overlaps, groups, np.array([iou]), none_ignored)
    is_right = np.zeros(len(detections), bool)
    is_right[candidates] = given[0, 0] != UNASSIGNED
    order = np.argsort(-detections.scores, kind="stable")
    num_labels = np.bincount(labels.class_ids, minlength=num_classes).tolist()
    rows_of_class = [
        order[detections.class_ids[order] == class_id] for class_id in range(num_classes)
    ]
    return [
        Ranking(detections.scores[rows], is_right[rows], number, detections.frames[rows])
        for rows, number in zip(rows_of_class, num_labels, strict=True)
    ]


def area_bounds(protocol: Protocol) -> list[tuple[float, float]]:
    """Least and largest area of every range, that of all areas first."""
    return [(0.0, 1e5**2), *protocol.area_ranges.values()]


def best_first(
    frames: Frames, num_classes: int, limit: int
) -> tuple[FrameBoxes, Int64[np.ndarray, " D"], Int64[np.ndarray, " D"]]:
    """Detections by frame, class and score, at most `limit` of each; their groups and ranks."""
    boxes = frames.detections
    groups = boxes.frames * num_classes + boxes.class_ids
    order = np.lexsort((-boxes.scores, groups))
    groups = groups[order]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")
    kept = ranks < limit
    return boxes.take(order[kept]), groups[kept], ranks[kept]


def outside_ranges(boxes: FrameBoxes, protocol: Protocol) -> Bool[np.ndarray, "A N"]:
    """Which boxes are outside of each range of `area_bounds`."""
    areas = boxes.areas.astype(np.float64)
    return np.array([(areas < low) | (areas > high) for low, high in area_bounds(protocol)])


def _no_curves(num_classes: int, protocol: Protocol) -> Curves:
    num_ious, num_areas = len(protocol.iou_thresholds), 1 + len(protocol.area_ranges)
    shape = (num_ious, len(RECALLS), num_classes, num_areas)
    recall_shape = (num_ious, num_classes, num_areas, len(protocol.max_detections))
    return Curves(np.full(shape, NO_GROUND_TRUTH), np.full(recall_shape, NO_GROUND_TRUTH))


def _fill(curves: Curves, place: tuple[int, int], outcome: Outcome, protocol: Protocol) -> None:
    """Write the curves of one class and range of areas."""
    class_id, area = place
    num_labels = len(outcome.label_frames)
    if not num_labels:
        return
    for iou, (is_right, is_counted) in enumerate(
        zip(outcome.is_right, outcome.is_counted, strict=True)
    ):
        curves.precision[iou, :, class_id, area] = precision_at_recalls(
            is_right, is_counted, num_labels
        )
        for limit, max_detections in enumerate(protocol.max_detections):
            num_right = np.count_nonzero(is_right & (outcome.ranks < max_detections))
            curves.recall[iou, class_id, area, limit] = num_right / num_labels


def precision_at_recalls(
    is_true: Bool[np.ndarray, " D"], is_counted: Bool[np.ndarray, " D"], num_labels: int
) -> Float64[np.ndarray, " R"]:
    """Largest precision at each of `RECALLS` or beyond; 0 where that recall is not reached."""
    # Precision peaks and recall rises at right detections only, so these alone are looked at.
    num_counted = np.cumsum(is_counted)[is_true]
    num_true = np.arange(1, len(num_counted) + 1)
    precision = num_true / (num_counted + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(num_true / num_labels, RECALLS, side="left")
    return np.append(envelope, np.zeros(1))[np.minimum(first, len(envelope))]
