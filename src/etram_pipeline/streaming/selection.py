"""Which predictions of an exported detector become detections, without PyTorch.

Boxes, scores and their order equal those of `models.postprocess` to the bit, but for the order of
equal scores among more than a thousand boxes, which PyTorch leaves open.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int64

from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.streaming.description import Description, Selection
from etram_pipeline.streaming.suppression_kernels import keep_best

MOST_AT_ONCE = 1_000
"""Boxes beyond which torchvision suppresses class by class, on a CPU."""


@dataclass(frozen=True)
class RawPredictions:
    """Predictions for one window of every lane, before suppression.

    Attributes:
        boxes_xyxy: Corners in px of the frame; they may exceed it.
        objectness: Probability of any object; ones for a detector without this output.
        class_scores: Probability of each class given an object.
    """

    boxes_xyxy: Float32[np.ndarray, "B A 4"]
    objectness: Float32[np.ndarray, "B A 1"]
    class_scores: Float32[np.ndarray, "B A K"]


@dataclass(frozen=True)
class Found:
    """Detections in one window, best first, in px of the frame.

    Attributes:
        boxes_xyxy: Corners, inside the frame.
        class_ids: Class of each box.
        scores: Objectness times class score.
        objectness: Probability of any object.
        class_scores: Probability of the class given an object.
    """

    boxes_xyxy: Float32[np.ndarray, "N 4"]
    class_ids: Int64[np.ndarray, " N"]
    scores: Float32[np.ndarray, " N"]
    objectness: Float32[np.ndarray, " N"]
    class_scores: Float32[np.ndarray, " N"]


def select(
    raw: RawPredictions, description: Description, suppression: SuppressionSettings | None = None
) -> list[Found]:
    """Detections of each lane.

    Args:
        raw: Predictions of one window of every lane.
        description: Of the detector they are from.
        suppression: Which of them become detections; None: as the description says.
    """
    settings = suppression or description.suppression
    size = description.frames.height, description.frames.width
    return [
        _visible(_chosen(*of_lane, description.selection, settings), size, settings.max_detections)
        for of_lane in zip(raw.boxes_xyxy, raw.objectness, raw.class_scores, strict=True)
    ]


def as_found(
    boxes_xyxy: Sequence[Sequence[float]], class_ids: Sequence[int], scores: Sequence[float]
) -> Found:
    """Detections of which no more is known than box, class and score."""
    found = np.array(scores, np.float32)
    return Found(
        boxes_xyxy=np.array(boxes_xyxy, np.float32).reshape(-1, 4),
        class_ids=np.array(class_ids, np.int64),
        scores=found,
        objectness=np.ones_like(found),
        class_scores=found,
    )


def _chosen(
    boxes_xyxy: Float32[np.ndarray, "A 4"],
    objectness: Float32[np.ndarray, "A 1"],
    class_scores: Float32[np.ndarray, "A K"],
    selection: Selection,
    settings: SuppressionSettings,
) -> Found:
    """Detections of one lane, which may exceed the frame."""
    if selection == "suppression":
        return _suppressed(boxes_xyxy, objectness[:, 0], class_scores, settings)
    pairs = class_scores.reshape(-1)
    order = _best_first(pairs)
    if selection == "best_of_queries":
        order = order[: len(boxes_xyxy)]
    likely = order[pairs[order] >= np.float32(settings.score_threshold)]
    queries, class_ids = np.divmod(likely, class_scores.shape[1])
    scores = pairs[likely]
    return Found(boxes_xyxy[queries], class_ids, scores, objectness[queries, 0], scores)


def _suppressed(
    boxes_xyxy: Float32[np.ndarray, "A 4"],
    objectness: Float32[np.ndarray, " A"],
    class_scores: Float32[np.ndarray, "A K"],
    settings: SuppressionSettings,
) -> Found:
    class_ids = class_scores.argmax(1)
    best_scores = class_scores[np.arange(len(class_scores)), class_ids]
    scores = objectness * best_scores
    likely = np.flatnonzero(scores >= np.float32(settings.score_threshold))
    likely = likely[_best_first(scores[likely])]
    groups = np.zeros_like(likely) if settings.class_agnostic else class_ids[likely]
    kept = likely[_not_suppressed(boxes_xyxy[likely], groups, settings.iou_threshold)]
    return Found(
        boxes_xyxy=boxes_xyxy[kept],
        class_ids=class_ids[kept],
        scores=scores[kept],
        objectness=objectness[kept],
        class_scores=best_scores[kept],
    )


def _not_suppressed(
    boxes_xyxy: Float32[np.ndarray, "N 4"], groups: Int64[np.ndarray, " N"], iou_threshold: float
) -> Int64[np.ndarray, " kept"]:
    """Boxes, best first, that no better box of the same group overlaps by more than a threshold.

    Source: torchvision.ops.batched_nms.
    """
    if len(boxes_xyxy) and len(boxes_xyxy) <= MOST_AT_ONCE:
        # Far apart, groups cannot overlap. It also rounds, by which boxes may overlap a bit more.
        apart = groups.astype(np.float32) * (boxes_xyxy.max() + np.float32(1))
        boxes_xyxy, groups = boxes_xyxy + apart[:, None], np.zeros_like(groups)
    return np.flatnonzero(keep_best(np.ascontiguousarray(boxes_xyxy), groups, iou_threshold))


def _visible(found: Found, size: tuple[int, int], most: int) -> Found:
    """The best detections, with boxes clipped to the frame; boxes without area are dropped."""
    height, width = size
    limits = np.array([width, height, width, height], np.float32)
    boxes_xyxy = found.boxes_xyxy.clip(0, limits)
    kept = np.flatnonzero((boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(1))[:most]
    return Found(
        boxes_xyxy=boxes_xyxy[kept],
        class_ids=found.class_ids[kept],
        scores=found.scores[kept],
        objectness=found.objectness[kept],
        class_scores=found.class_scores[kept],
    )


def _best_first(scores: Float32[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
    """Places of scores in falling order; equal scores stay in their order."""
    return np.argsort(-scores, kind="stable")
