"""Assignment of objects to the anchors that learn them."""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from torch import Tensor

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.component import Settings
from etram_pipeline.models.boxes import iou, xyxy_to_cxcywh
from etram_pipeline.models.predictions import AnchorGrid, Predictions

LEAST_LOG_PROBABILITY = -100.0
"""Floor of a logarithm, as in `torch.nn.functional.binary_cross_entropy`."""


@dataclass(frozen=True)
class PaddedTargets:
    """Targets of `K` images as one tensor, padded to the largest number `G`.

    Attributes:
        boxes_cxcywh: Boxes in px.
        class_ids: Class of each box.
        is_present: False for padding.
    """

    boxes_cxcywh: Float[Tensor, "K G 4"]
    class_ids: Int64[Tensor, "K G"]
    is_present: Bool[Tensor, "K G"]

    @classmethod
    def pad(cls, targets: tuple[Targets, ...], dtype: torch.dtype) -> "PaddedTargets":
        """Stack the targets of at least one image, with boxes in `dtype`."""
        device = targets[0].boxes_xyxy.device
        counts = torch.tensor([len(target.class_ids) for target in targets])
        is_present = torch.arange(int(counts.max())) < counts[:, None]
        # The numbers of boxes are known here, so that the device need not be synchronised.
        places = is_present.flatten().nonzero().squeeze(1).to(device, non_blocking=True)
        boxes = _spread([target.boxes_xyxy.to(dtype) for target in targets], places, is_present)
        class_ids = _spread([target.class_ids for target in targets], places, is_present)
        is_present = is_present.to(device, non_blocking=True)
        return cls(xyxy_to_cxcywh(boxes), class_ids, is_present)


def _spread(
    of_images: list[Shaped[Tensor, "..."]],
    places: Int64[Tensor, " P"],
    is_present: Bool[Tensor, "K G"],
) -> Shaped[Tensor, "..."]:
    """Rows of all images at their places, padded with zeros."""
    packed = torch.cat(of_images)
    filled = packed.new_zeros(is_present.numel(), *packed.shape[1:])
    spread: Tensor = filled.index_copy(0, places, packed).unflatten(0, is_present.shape)
    return spread


@dataclass(frozen=True)
class Assignment:
    """The object each anchor learns.

    Attributes:
        target: Index of the object among those of its image, -1 for background.
        ious: Overlap of the anchor's predicted box with its object, 0 for background.
    """

    target: Int64[Tensor, "K A"]
    ious: Float[Tensor, "K A"]

    @property
    def is_foreground(self) -> Bool[Tensor, "K A"]:
        """True where the anchor learns an object."""
        return self.target >= 0


@dataclass(frozen=True)
class AssignedAnchors:
    """The anchors of a batch that learn an object.

    Attributes:
        predictions: Predictions at all anchors.
        targets: The objects.
        image: Index of the image of each anchor that learns an object.
        anchor: Index of the anchor.
        target: Index of its object among those of the image.
        ious: Overlap of its predicted box with the object.
    """

    predictions: Predictions
    targets: PaddedTargets
    image: Int64[Tensor, " F"]
    anchor: Int64[Tensor, " F"]
    target: Int64[Tensor, " F"]
    ious: Float[Tensor, " F"]


class SimOTA(Settings):
    """Assigns to each object the anchors whose predictions already fit it best.

    An object's candidates are the anchors near its centre. The overlaps of its best predictions,
    summed and rounded down (at least 1), give the number of anchors it receives: those of least
    cost. An anchor claimed by several objects goes to the one with the least cost. An object
    without candidates receives no anchor.

    Source: Ge et al., "YOLOX", arXiv 2107.08430, section 2.1; uzh-rpg/RVT
    models/detection/yolox/models/yolo_head.py.

    Attributes:
        centre_radius: Greatest distance of a candidate from the object's centre along each axis,
            in strides, excluded.
        num_best: Predictions whose overlaps decide the number of anchors of an object.
        iou_weight: Weight of the logarithm of the overlap in the cost.
    """

    centre_radius: float = 1.5
    num_best: int = 10
    iou_weight: float = 3.0

    @torch.no_grad()
    def __call__(self, predictions: Predictions, targets: PaddedTargets) -> Assignment:
        """Assign the objects of each image to its anchors."""
        num_targets, num_anchors = targets.class_ids.shape[1], len(predictions.anchors.strides)
        if num_targets == 0:
            return _all_background(predictions)
        ious = iou(targets.boxes_cxcywh[:, :, None], predictions.boxes_cxcywh[:, None])
        is_candidate = self._find_candidates(predictions.anchors, targets)
        cost = _class_cost(predictions, targets) - self.iou_weight * (ious + 1e-8).log()
        cost = cost.masked_fill(~is_candidate, torch.inf)
        # As in the reference, the candidates of every object of the image count here.
        counted = ious * is_candidate.any(1, keepdim=True)
        num_best = min(self.num_best, num_anchors)
        num_wanted = counted.topk(num_best, dim=2).values.sum(2).long().clamp(min=1)
        cheapest = cost.topk(num_best, dim=2, largest=False)
        is_wanted = torch.arange(num_best, device=cost.device) < num_wanted[..., None]
        claims = torch.zeros_like(is_candidate)
        claims.scatter_(2, cheapest.indices, is_wanted & cheapest.values.isfinite())
        return _settle(claims, cost, ious)

    def _find_candidates(
        self, anchors: AnchorGrid, targets: PaddedTargets
    ) -> Bool[Tensor, "K G A"]:
        offsets = anchors.centres_xy - targets.boxes_cxcywh[:, :, None, :2]
        is_near = (offsets.abs() < self.centre_radius * anchors.strides[:, None]).all(-1)
        return is_near & targets.is_present[..., None]


def _class_cost(predictions: Predictions, targets: PaddedTargets) -> Float[Tensor, "K G A"]:
    """Cross-entropy between each anchor's class probabilities and each object's class."""
    objectness = predictions.objectness_logits.sigmoid()[..., None]
    probability = (predictions.class_logits.sigmoid() * objectness).sqrt()
    if_class = probability.log().clamp(min=LEAST_LOG_PROBABILITY)
    if_not = (-probability).log1p().clamp(min=LEAST_LOG_PROBABILITY)
    # An object has one class: every class counts as absent but that one.
    gain = (if_class - if_not).transpose(1, 2)
    class_of_target = targets.class_ids[..., None].expand(-1, -1, gain.shape[2])
    return -if_not.sum(-1)[:, None] - gain.gather(1, class_of_target)


def _settle(
    claims: Bool[Tensor, "K G A"], cost: Float[Tensor, "K G A"], ious: Float[Tensor, "K G A"]
) -> Assignment:
    """Give every claimed anchor to one object."""
    num_claims = claims.sum(1)
    sole, cheapest = claims.long().argmax(1), cost.argmin(1)
    target = torch.where(num_claims > 1, cheapest, sole)
    overlap = ious.gather(1, target[:, None]).squeeze(1)
    is_claimed = num_claims > 0
    return Assignment(target.where(is_claimed, -1), overlap.where(is_claimed, 0))


def _all_background(predictions: Predictions) -> Assignment:
    nothing = torch.zeros_like(predictions.objectness_logits)
    return Assignment(torch.full_like(nothing, -1, dtype=torch.int64), nothing)
