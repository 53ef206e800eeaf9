"""Test-time augmentation: detection in several views of each frame."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import replace

import torch
from torch import Tensor

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.inference.settings import ViewSettings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.nms import batched_nms
from etram_pipeline.models.resizing import frame_size, scaled_size


def check_augmentation(detector: Detector, augmentation: ViewSettings) -> None:
    """Check that a detector can follow `predict.augmentation`.

    Raises:
        SettingsError: If it has a memory: the memory of one view does not fit another, and
            mirroring would exchange left and right in the middle of a recording. Also if it reads
            frames of one size, and there are others.
    """
    if detector.has_memory and not augmentation.is_plain:
        raise SettingsError(
            "predict.augmentation needs a detector without memory, but this "
            f"{type(detector).__name__} carries a memory from window to window: remove "
            "predict.augmentation, or use a detector of single frames such as yolox"
        )
    if detector.frame_size is not None and set(augmentation.scales) != {1.0}:
        height, width = detector.frame_size
        raise SettingsError(
            f"predict.augmentation.scales are {list(augmentation.scales)}, but this "
            f"{type(detector).__name__} can only read frames of {height} x {width} px: remove "
            "them, or use the checkpoint that it was exported from"
        )


def detect_in_views(
    detector: Detector,
    batch: SequenceBatch,
    suppression: SuppressionSettings,
    augmentation: ViewSettings,
) -> list[Detections]:
    """Detections of each keyframe in all views of it, best first.

    The detections of all views are mapped back to the frame. Suppression then drops the weaker of
    two boxes that overlap, class by class, whichever views they come from. This also applies to
    detectors that otherwise need no suppression.

    Args:
        detector: A detector without memory. A scale multiplies the size of the frames, or the
            detector's `input_size` if it has one.
        batch: Frames and keyframes.
        suppression: Applied in each view, and to the detections of all views together.
        augmentation: The views.
    """
    found = list(_views(detector, batch, suppression, augmentation))
    return [_combine(of_frame, suppression) for of_frame in zip(*found, strict=True)]


def _views(
    detector: Detector,
    batch: SequenceBatch,
    suppression: SuppressionSettings,
    augmentation: ViewSettings,
) -> Iterator[list[Detections]]:
    """Detections of each keyframe in one view after another, in px of the frames."""
    size = frame_size(batch.frames)
    mirrored = replace(batch, frames=batch.frames.flip(-1)) if augmentation.mirror else None
    for scale in augmentation.scales:
        seeing = copy(detector)  # the same weights; only the size that it resizes frames to differs
        if scale != 1:
            seeing.input_size = scaled_size(detector.input_size or size, scale)
        yield seeing.detect(batch, (), suppression)[0]
        if mirrored is not None:
            found, _ = seeing.detect(mirrored, (), suppression)
            yield [_mirror(each, width=size[1]) for each in found]


def _mirror(found: Detections, width: int) -> Detections:
    """Detections of a mirrored frame where they are in the frame itself."""
    x1, y1, x2, y2 = found.boxes_xyxy.unbind(1)
    boxes = torch.stack([width - x2, y1, width - x1, y2], dim=1)
    masks = None if found.masks is None else found.masks.flip(-1)
    return replace(found, boxes_xyxy=boxes, masks=masks)


def _combine(views: Sequence[Detections], suppression: SuppressionSettings) -> Detections:
    """The best detections of all views of one frame."""
    together = Detections(
        boxes_xyxy=torch.cat([view.boxes_xyxy for view in views]),
        class_ids=torch.cat([view.class_ids for view in views]),
        scores=torch.cat([view.scores for view in views]),
        objectness=_joined([view.objectness for view in views]),
        class_scores=_joined([view.class_scores for view in views]),
        masks=_joined([view.masks for view in views]),
    )
    groups = together.class_ids * (not suppression.class_agnostic)
    best = batched_nms(together.boxes_xyxy, together.scores, groups, suppression.iou_threshold)
    return together.select(best[: suppression.max_detections])


def _joined(values: Sequence[Tensor | None]) -> Tensor | None:
    present = [value for value in values if value is not None]
    return torch.cat(present) if present else None
