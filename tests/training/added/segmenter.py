"""A detector of masks that somebody adds as one file: the one object of a frame, px by px."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits
from typing_extensions import override

from etram_pipeline.core.batch import Detections, Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.frame_detector import FrameDetector


class Segmenter(FrameDetector):
    """Decides for each pixel alone whether it belongs to the object."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.pixel = nn.Conv2d(in_channels, 1, 1)

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        masks = [target.masks for target in targets if target.masks is not None]
        wanted = torch.stack([mask.any(0) for mask in masks]).to(frames)
        return {"mask": binary_cross_entropy_with_logits(self.pixel(frames)[:, 0], wanted)}

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        return [self._detection(mask) for mask in self.pixel(frames)[:, 0] > 0]

    def _detection(self, mask: Tensor) -> Detections:
        count = int(mask.any())
        box = torch.zeros(count, 4)
        if count:
            rows, columns = (mask.any(axis).nonzero()[:, 0] for axis in (1, 0))
            box = torch.stack([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])[None].float()
        return Detections(
            box,
            torch.zeros(count, dtype=torch.int64),
            torch.ones(count),
            masks=mask.expand(count, *mask.shape),
        )


class Config(DetectorConfig):
    """Settings of the segmenter."""

    kind: Literal["segmenter"] = "segmenter"

    @property
    @override
    def needs_masks(self) -> bool:
        return True

    @override
    def build(self, in_channels: int, num_classes: int) -> Segmenter:
        return Segmenter(in_channels)
