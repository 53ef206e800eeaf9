"""RF-DETR's losses."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, l1_loss, logsigmoid
from torchvision.ops import generalized_box_iou_loss

from etram_pipeline.models.boxes import cxcywh_to_xyxy, iou
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.normalisation import foreground_count
from etram_pipeline.models.rf_detr.matching import (
    ALPHA,
    POINT_SHARE,
    Matches,
    NormalisedTargets,
    match,
)
from etram_pipeline.models.rf_detr.outputs import LayerOutput, MaskOutput, at_points, sample_maps

WEIGHTS = {"class": 1.0, "box": 5.0, "giou": 2.0, "mask": 5.0, "dice": 5.0}

MINIMUM_QUALITY = 0.01
"""Lowest class target of a query that learns an object."""

OVERSAMPLING, UNCERTAIN_SHARE = 3, 0.75
"""Candidates per point, and the share of points that are the most uncertain candidates."""


def compute_losses(
    layers: list[LayerOutput], targets: list[NormalisedTargets], num_groups: int
) -> Losses:
    """Losses of the last layer by name, and the sum of those of all others as `auxiliary`.

    Each is divided by the number of objects, counted once for each group of queries.

    Source: roboflow/rf-detr 1.11 rfdetr/models/criterion.py.

    Args:
        layers: Predictions, those of the last layer at the end.
        targets: Ground truth of each frame.
        num_groups: Groups of queries, each of which learns all objects by itself.
    """
    # Probabilities near 0 and 1 and their logarithms need single precision.
    with torch.autocast(layers[0].logits.device.type, enabled=False):
        exact = [layer.float() for layer in layers]
        matches = match(exact, targets, num_groups)
        count = torch.tensor(len(matches[-1].objects), device=exact[0].logits.device)
        per = foreground_count(count)
        *others, last = (
            _Pairs.of(layer, matched, targets).losses(per)
            for layer, matched in zip(exact, matches, strict=True)
        )
        auxiliary = torch.stack([value for losses in others for value in losses.values()]).sum()
    return {**last, "auxiliary": auxiliary, "num_foreground": count / num_groups}


@dataclass(frozen=True)
class _Pairs:
    """What a layer predicts, and what its matched queries should have predicted."""

    layer: LayerOutput
    matches: Matches
    class_ids: Tensor
    boxes: Tensor
    masks: list[Tensor]

    @classmethod
    def of(cls, layer: LayerOutput, matches: Matches, targets: list[NormalisedTargets]) -> "_Pairs":
        chosen = [matches.objects[matches.frames == frame] for frame in range(len(targets))]
        together = list(zip(targets, chosen, strict=True))
        return cls(
            layer=layer,
            matches=matches,
            class_ids=torch.cat([target.class_ids[of_frame] for target, of_frame in together]),
            boxes=torch.cat([target.boxes[of_frame] for target, of_frame in together]),
            masks=[
                target.masks[of_frame] for target, of_frame in together if target.masks is not None
            ],
        )

    def losses(self, per: Tensor) -> Losses:
        predicted = self.layer.boxes[self.matches.frames, self.matches.queries]
        corners = cxcywh_to_xyxy(predicted), cxcywh_to_xyxy(self.boxes)
        found = {
            "class": self._class_loss(iou(predicted.detach(), self.boxes)),
            "box": l1_loss(predicted, self.boxes, reduction="sum"),
            "giou": generalized_box_iou_loss(*corners, reduction="sum"),
        }
        if self.layer.masks is not None:
            found |= self._mask_losses(self.layer.masks)
        return {name: WEIGHTS[name] * value / per for name, value in found.items()}

    def _class_loss(self, overlaps: Float[Tensor, " M"]) -> Float[Tensor, ""]:
        """Binary cross-entropy whose target for an object is a mean of score and overlap."""
        logits = self.layer.logits
        at = (self.matches.frames, self.matches.queries, self.class_ids)
        scores = logits.detach().sigmoid()
        quality = scores[at] ** ALPHA * overlaps ** (1 - ALPHA)
        quality = quality.clamp(min=MINIMUM_QUALITY)
        # The original lets the weights of all but matched queries take part in the gradient.
        positive = torch.zeros_like(logits).index_put(at, quality)
        negative = (logits.sigmoid() ** 2).index_put(at, 1 - quality)
        return (negative * logits - logsigmoid(logits) * (positive + negative)).sum()

    def _mask_losses(self, masks: MaskOutput) -> Losses:
        """Losses at points, most of them where the masks are uncertain.

        Source: Kirillov et al., "PointRend", arXiv 1912.08193, section 3.1.
        """
        frames = range(len(self.masks))
        matched = [self.matches.queries[self.matches.frames == frame] for frame in frames]
        maps = torch.cat([masks.logits(frame, matched[frame]) for frame in frames])
        points = _uncertain_points(maps.detach())
        logits = sample_maps(maps.unsqueeze(1), points).squeeze(1)
        wanted = at_points(torch.cat(self.masks), points)
        entropy = binary_cross_entropy_with_logits(logits, wanted, reduction="none")
        scores = logits.sigmoid()
        total = scores.sum(1) + wanted.sum(1)
        dice = 1 - (2 * (scores * wanted).sum(1) + 1) / (total + 1)
        return {"mask": entropy.mean(1).sum(), "dice": dice.sum()}


def _uncertain_points(maps: Float[Tensor, "M h w"]) -> Float[Tensor, "M P 2"]:
    """Points of each mask, x and y in `[0, 1]`."""
    count, height, width = maps.shape
    number = max(height, height * width // POINT_SHARE)
    num_uncertain = int(UNCERTAIN_SHARE * number)
    candidates = torch.rand(count, OVERSAMPLING * number, 2, device=maps.device)
    certainty = sample_maps(maps.unsqueeze(1), candidates).squeeze(1).abs()
    chosen = certainty.topk(num_uncertain, dim=1, largest=False).indices
    uncertain = candidates.gather(1, chosen.unsqueeze(-1).expand(-1, -1, 2))
    anywhere = torch.rand(count, number - num_uncertain, 2, device=maps.device)
    return torch.cat([uncertain, anywhere], dim=1)
