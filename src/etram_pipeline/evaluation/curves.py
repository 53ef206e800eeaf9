"""Precision and recall over all detections, best first: COCO's numbers."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.outcomes import MOST_IOUS, Compared, Matched
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


def compute_curves(compared: Compared) -> Curves:
    """Curves of all classes.

    Source: pycocotools, `COCOeval.accumulate`; equal to it to the last bit or nearly.
    """
    parts = [_curves(part, compared) for part in compared.parts]
    return Curves(
        np.concatenate([part.precision for part in parts]),
        np.concatenate([part.recall for part in parts]),
    )


def _curves(matched: Matched, compared: Compared) -> Curves:
    from etram_pipeline.evaluation.curve_kernels import trace_curves

    num_labels, wanted = _count_labels(matched, compared), compared.wanted
    limits = np.array(compared.protocol.max_detections)
    found = np.zeros((len(matched.min_ious), *num_labels.shape, len(limits)), np.int64)
    precision = trace_curves(
        np.ones(len(matched.rows), bool) if wanted is None else wanted[matched.frames],
        (matched.class_ids, matched.steps, matched.ranks, matched.candidates, matched.outside),
        (matched.right, matched.ignored),
        num_labels,
        (RECALLS, limits),
        found,
    )
    has_labels = num_labels > 0
    recall = found / np.maximum(num_labels, 1)[..., None]
    return Curves(
        np.where(has_labels, precision, NO_GROUND_TRUTH),
        np.where(has_labels[..., None], recall, NO_GROUND_TRUTH),
    )


def _count_labels(matched: Matched, compared: Compared) -> Int64[np.ndarray, "K A"]:
    """Number of labels to find, by class and range of areas."""
    labels, counts = compared.frames.labels, matched.counted_labels
    if compared.wanted is not None:
        counts = counts & compared.wanted[labels.frames, None]
    number = compared.num_classes
    columns = [np.bincount(labels.class_ids[each], minlength=number) for each in counts.T]
    return np.stack(columns, axis=1)


def best_first(
    frames: Frames, num_classes: int, protocol: Protocol
) -> tuple[FrameBoxes, Int64[np.ndarray, " D"], Int64[np.ndarray, " D"]]:
    """Detections by frame, class and score, as many as count; their groups and ranks."""
    boxes = frames.detections
    if protocol.ties == "together":
        boxes = boxes.by_content()
    groups = boxes.frames * num_classes + boxes.class_ids
    order = np.lexsort((-boxes.scores, groups))
    groups = groups[order]
    ranks = np.arange(len(groups)) - np.searchsorted(groups, groups, side="left")
    kept = ranks < protocol.max_detections[-1]
    return boxes.take(order[kept]), groups[kept], ranks[kept]


def rank_detections(compared: Compared) -> list[Ranking]:
    """Detections of each class at the protocol's `curve_iou`, which its curves are drawn from."""
    frames, protocol = compared.frames, compared.protocol
    iou = protocol.iou_thresholds.index(protocol.curve_iou)
    matched = compared.parts[iou // MOST_IOUS]
    is_right = matched.is_right(iou % MOST_IOUS)
    num_labels = np.bincount(frames.labels.class_ids, minlength=compared.num_classes)
    rankings = []
    for class_id, number in enumerate(num_labels.tolist()):
        places = np.flatnonzero(matched.class_ids == class_id)
        rows = matched.rows[places]
        scores, in_frames = frames.detections.scores[rows], frames.detections.frames[rows]
        rankings.append(Ranking(scores, is_right[places], number, in_frames))
    return rankings
