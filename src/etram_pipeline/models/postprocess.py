"""From dense predictions to detections."""

from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from etram_pipeline.core.batch import Detections
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.nms import batched_nms


def suppress(
    predictions: Float[Tensor, "K A outputs"], suppression: SuppressionSettings
) -> list[Detections]:
    """Detections of each image, best first; boxes may exceed the image.

    An anchor detects its likeliest class. Predictions below the score threshold are dropped, then
    suppression is applied class by class. The input is not modified.

    Source: uzh-rpg/RVT models/detection/yolox/utils/boxes.py.

    Args:
        predictions: Centre, size in px, objectness and class probabilities of each anchor.
        suppression: Thresholds; `max_detections` is applied by `keep_visible`.
    """
    return [_suppress_one(image, suppression) for image in predictions]


def _suppress_one(
    predictions: Float[Tensor, "A outputs"], suppression: SuppressionSettings
) -> Detections:
    class_scores, class_ids = predictions[:, 5:].max(1)
    scores = predictions[:, 4] * class_scores
    likely = (scores >= suppression.score_threshold).nonzero().squeeze(1)
    boxes_xyxy = cxcywh_to_xyxy(predictions[likely, :4])
    groups = class_ids[likely] * (not suppression.class_agnostic)
    best = batched_nms(boxes_xyxy, scores[likely], groups, suppression.iou_threshold)
    kept = likely[best]
    return Detections(
        boxes_xyxy=boxes_xyxy[best],
        class_ids=class_ids[kept],
        scores=scores[kept],
        objectness=predictions[kept, 4],
        class_scores=class_scores[kept],
    )


def keep_visible(
    detections: Detections, height: int, width: int, max_detections: int
) -> Detections:
    """The best detections, with boxes clipped to the image; boxes without area are dropped."""
    # Limits as numbers need no copy to a GPU, which would have to wait for it.
    x, y = detections.boxes_xyxy[:, 0::2], detections.boxes_xyxy[:, 1::2]
    boxes_xyxy = torch.stack([x.clamp(0, width), y.clamp(0, height)], dim=-1).flatten(1)
    has_area = (boxes_xyxy[:, 2:] > boxes_xyxy[:, :2]).all(1)
    kept = has_area.nonzero().squeeze(1)[:max_detections]
    return replace(detections, boxes_xyxy=boxes_xyxy).select(kept)
