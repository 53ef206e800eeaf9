"""What a detector predicts for each labelled object."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import logsigmoid

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.boxes import iou, xyxy_to_cxcywh
from etram_pipeline.models.predictions import AnchorGrid, Predictions

_NEAR_STRIDES = 1.5
_LEAST_PX = 1e-3

LEAST_LABEL_PX = 1.0
"""Side that shorter sides of labels count as: a zoom may cut an object down to a sliver."""


@dataclass(frozen=True)
class ObjectPredictions:
    """The prediction that fits each of `N` labelled objects best, image by image.

    Attributes:
        image: Image of each object, as an index.
        anchor: Anchor of the prediction.
        box_errors: Difference between the predicted and the labelled box, relative to the size of
            the latter: (x - x') / w', (y - y') / h', log(w / w'), log(h / h'), for centre and size.
            Labelled sides below 1 px count as 1 px.
        objectness_logits: Log odds that the anchor's box holds an object.
        class_logits: Log odds of the object's class.
    """

    image: Int64[Tensor, " N"]
    anchor: Int64[Tensor, " N"]
    box_errors: Float[Tensor, "N 4"]
    objectness_logits: Float[Tensor, " N"]
    class_logits: Float[Tensor, " N"]

    @property
    def log_scores(self) -> Float[Tensor, " N"]:
        """Logarithm of the score: objectness times class probability."""
        scores: Tensor = logsigmoid(self.objectness_logits) + logsigmoid(self.class_logits)
        return scores

    @classmethod
    def of(cls, predictions: Predictions, targets: tuple[Targets, ...]) -> "ObjectPredictions":
        """Choose the predictions of the objects of at least one image.

        Candidates are the anchors whose centre is inside the box, or less than 1.5 strides from its
        centre along both axes. The one whose predicted box overlaps the label most is chosen, or
        the nearest one (in strides) if none overlaps it. The choice has no gradient. It is made
        again in each step, so that it follows the detector, unlike an assignment that gives each
        anchor to one object at most.

        Args:
            predictions: Predictions at the keyframes.
            targets: Ground truth of each keyframe, in px of the same image.
        """
        device = predictions.boxes_cxcywh.device
        counts = torch.tensor([len(target.class_ids) for target in targets])
        # The numbers are known here, so that the device need not be synchronised.
        image = torch.arange(len(targets)).repeat_interleave(counts).to(device, non_blocking=True)
        corners = torch.cat([target.boxes_xyxy for target in targets])
        labels = xyxy_to_cxcywh(corners.to(predictions.boxes_cxcywh.dtype))
        return cls.at(predictions, targets, image, _best(predictions, labels, image))

    @classmethod
    def at(
        cls,
        predictions: Predictions,
        targets: tuple[Targets, ...],
        image: Int64[Tensor, " N"],
        anchor: Int64[Tensor, " N"],
    ) -> "ObjectPredictions":
        """The predictions of given anchors for the objects, such as those that `of` chose."""
        boxes = predictions.boxes_cxcywh[image, anchor]
        corners = torch.cat([target.boxes_xyxy for target in targets]).to(boxes.dtype)
        class_ids = torch.cat([target.class_ids for target in targets])
        centres, sizes = xyxy_to_cxcywh(corners).split(2, dim=1)
        sizes = sizes.clamp(min=LEAST_LABEL_PX)
        errors = [
            (boxes[:, :2] - centres) / sizes,
            (boxes[:, 2:].clamp(min=_LEAST_PX) / sizes).log(),
        ]
        classes = predictions.class_logits[image, anchor]
        return cls(
            image,
            anchor,
            torch.cat(errors, dim=1),
            predictions.objectness_logits[image, anchor],
            classes.gather(1, class_ids[:, None]).squeeze(1),
        )


@torch.no_grad()
def _best(
    predictions: Predictions, labels_cxcywh: Float[Tensor, "N 4"], image: Int64[Tensor, " N"]
) -> Int64[Tensor, " N"]:
    overlap = iou(predictions.boxes_cxcywh[image], labels_cxcywh[:, None])
    offsets = (predictions.anchors.centres_xy - labels_cxcywh[:, None, :2]).abs()
    strides = _in_strides(offsets, predictions.anchors)
    is_inside = (offsets < labels_cxcywh[:, None, 2:] / 2).all(-1)
    fit = torch.where(overlap > 0, overlap, -strides)
    return fit.masked_fill(~(is_inside | (strides < _NEAR_STRIDES)), -torch.inf).argmax(1)


def _in_strides(offsets_px: Float[Tensor, "N A 2"], anchors: AnchorGrid) -> Float[Tensor, "N A"]:
    """The larger of the offsets along both axes."""
    return offsets_px.amax(-1) / anchors.strides
