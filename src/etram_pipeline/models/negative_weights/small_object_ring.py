"""The most confident false predictions around small objects count more."""

from math import ceil
from typing import Literal

import torch
from jaxtyping import Bool, Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.assignment import PaddedTargets
from etram_pipeline.models.negative_weights import NegativeWeight, NegativeWeightConfig
from etram_pipeline.models.predictions import Predictions
from etram_pipeline.models.size_weights import SMALL_AREA


class SmallObjectRing(NegativeWeight):
    """Weighs hard negatives by `1 + (maximum - 1) * objectness^gamma`, within 1 and `maximum`.

    Candidates are the anchors that learn no object and whose centre lies in the ring around a small
    object: inside its box enlarged by `ring` on all sides, and outside the boxes of all objects. Of
    the candidates of a batch, the `share` with the highest predicted objectness is weighed, rounded
    up. All other anchors weigh 1.

    Source of the parts: Shrivastava et al., "Training Region-based Object Detectors with Online
    Hard Example Mining", CVPR 2016, section 4 (the hardest share of the examples of a batch); Lin
    et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 4 (a power of the error as
    factor). The ring around small objects is this project's.
    """

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.config = config

    @override
    @torch.no_grad()
    def forward(
        self,
        predictions: Predictions,
        targets: PaddedTargets,
        is_foreground: Bool[Tensor, "K A"],
    ) -> Float[Tensor, "K A"] | None:
        centres = predictions.anchors.centres_xy
        is_candidate = self._is_in_ring(centres, targets) & ~is_foreground
        places = is_candidate.flatten().nonzero().squeeze(1)
        num_hard = ceil(self.config.share * len(places))
        if num_hard == 0:
            return None
        objectness = predictions.objectness_logits.flatten()[places].sigmoid()
        hardest = objectness.topk(num_hard)
        factors = 1 + (self.config.maximum - 1) * hardest.values**self.config.gamma
        weights = torch.ones_like(predictions.objectness_logits)
        weights.view(-1)[places[hardest.indices]] = factors
        return weights

    def _is_in_ring(
        self, centres_xy: Float[Tensor, "A 2"], targets: PaddedTargets
    ) -> Bool[Tensor, "K A"]:
        # Axis by axis: pairs of coordinates for all objects and anchors would take twice as long.
        across, down, width, height = targets.boxes_cxcywh[..., None].unbind(2)
        dx, dy = (across - centres_xy[:, 0]).abs(), (down - centres_xy[:, 1]).abs()
        is_present = targets.is_present[..., None]
        is_covered = (dx <= width / 2) & (dy <= height / 2) & is_present
        reach = 0.5 + self.config.ring
        is_small = (width * height <= self.config.small_area) & is_present
        is_near = (dx <= reach * width) & (dy <= reach * height) & is_small
        return is_near.any(1) & ~is_covered.any(1)


class Config(NegativeWeightConfig):
    """Settings of hard negatives around small objects; they change losses and gradients.

    Attributes:
        small_area: Largest area of a small object in px of the image that the network sees.
        ring: Width of the ring as a multiple of the box's width and height.
        share: Share of the anchors in rings that is weighed.
        maximum: Largest factor.
        gamma: Power of the predicted objectness; the larger, the less weigh all but confident
            predictions.
    """

    kind: Literal["small_object_ring"] = "small_object_ring"
    small_area: float = Field(default=SMALL_AREA, gt=0)
    ring: float = Field(default=1.0, gt=0)
    share: float = Field(default=0.25, ge=0, le=1)
    maximum: float = Field(default=3.0, ge=1)
    gamma: float = Field(default=1.0, ge=0)

    @override
    def build(self) -> SmallObjectRing:
        return SmallObjectRing(self)
