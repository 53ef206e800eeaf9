"""YOLOX's loss: overlap of assigned boxes, objectness of all anchors, classes of assigned ones."""

from typing import Literal

import torch
from pydantic import Field
from torch.nn.functional import binary_cross_entropy_with_logits as binary_cross_entropy
from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.assignment import AssignedAnchors, Assignment, PaddedTargets, SimOTA
from etram_pipeline.models.boxes import iou
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.classification_losses import ClassificationLossConfig, cross_entropy
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.losses import DetectionLoss, LossConfig
from etram_pipeline.models.negative_weights import NegativeWeightConfig
from etram_pipeline.models.negative_weights import uniform as uniform_negatives
from etram_pipeline.models.normalisation import foreground_count
from etram_pipeline.models.predictions import Predictions
from etram_pipeline.models.size_weights import SizeWeightConfig, uniform


class YOLOXLoss(DetectionLoss):
    """Sums over all images, divided by the number of anchors that learn an object.

    The class target of an anchor is the overlap of its box, so that the class score also expresses
    how well the box fits.

    Source: Ge et al., "YOLOX", arXiv 2107.08430, section 2.1, without the L1 loss, as in RVT.
    """

    def __init__(self, num_classes: int, config: "Config") -> None:
        super().__init__()
        self.num_classes = num_classes
        self.config = config
        self.classification = config.classification.build(num_classes)
        self.size_weight = config.size_weight.build()
        self.negative_weight = config.negative_weight.build()

    @override
    def forward(self, predictions: Predictions, targets: tuple[Targets, ...]) -> Losses:
        # The assignment needs logarithms of probabilities, which half precision cannot represent.
        with torch.autocast(predictions.boxes_cxcywh.device.type, enabled=False):
            padded = PaddedTargets.pad(targets, predictions.boxes_cxcywh.dtype)
            self._check_classes(padded)
            assignment = self.config.assignment(predictions, padded)
            return self._compare(predictions, padded, assignment)

    def _compare(
        self, predictions: Predictions, targets: PaddedTargets, assignment: Assignment
    ) -> Losses:
        is_foreground = assignment.is_foreground
        # Indices instead of masks: a GPU is synchronised once, for their number.
        image, anchor = is_foreground.nonzero().unbind(1)
        target = assignment.target[image, anchor]
        boxes = targets.boxes_cxcywh[image, target]
        overlap = iou(predictions.boxes_cxcywh[image, anchor], boxes)
        size_weight = self.size_weight(boxes[:, 2:].prod(1))
        objectness = binary_cross_entropy(
            predictions.objectness_logits,
            is_foreground.to(predictions.objectness_logits.dtype),
            weight=self.negative_weight(predictions, targets, is_foreground),
            reduction="sum",
        )
        classes = self.classification(
            predictions.class_logits[image, anchor],
            targets.class_ids[image, target],
            assignment.ious[image, anchor],
        )
        num_foreground = is_foreground.sum()
        per = foreground_count(num_foreground)
        return {
            "iou": self.config.iou_weight * (size_weight * (1 - overlap**2)).sum() / per,
            "objectness": self.config.objectness_weight * objectness / per,
            "class": self.config.class_weight * classes / per,
            "num_foreground": num_foreground.to(overlap.dtype),
            "num_targets": targets.is_present.sum().to(overlap.dtype),
            **self.size_weight.follow(
                AssignedAnchors(predictions, targets, image, anchor, target, overlap)
            ),
        }

    def _check_classes(self, targets: PaddedTargets) -> None:
        ids = targets.class_ids
        # On a GPU, reading the ids would synchronise it.
        if (
            ids.device.type == "cpu"
            and ids.numel()
            and not 0 <= ids.min() <= ids.max() < self.num_classes
        ):
            raise ValueError(
                f"targets have classes {ids.min()} to {ids.max()}, but the detector tells "
                f"{self.num_classes} apart, counted from 0"
            )


def _is_uniform(config: NegativeWeightConfig) -> bool:
    return config.kind == "uniform"


class Config(LossConfig):
    """Settings of the loss; the defaults are those of RVT.

    Attributes:
        iou_weight: Weight of the overlap loss.
        size_weight: Further weight of each object's overlap loss by its size; RVT's is uniform.
        objectness_weight: Weight of the objectness loss.
        negative_weight: Further weight of the objectness loss of each anchor that learns no object;
            RVT's is uniform.
        class_weight: Weight of the class loss.
        classification: How the class of an assigned anchor is compared; RVT's is cross-entropy.
        assignment: How objects are assigned to anchors.
    """

    kind: Literal["yolox"] = "yolox"
    iou_weight: float = Field(default=5.0, ge=0)
    size_weight: SizeWeightConfig = Field(default_factory=uniform.Config)
    objectness_weight: float = Field(default=1.0, ge=0)
    negative_weight: NegativeWeightConfig = Field(
        default_factory=uniform_negatives.Config, exclude_if=_is_uniform
    )
    class_weight: float = Field(default=1.0, ge=0)
    classification: ClassificationLossConfig = Field(default_factory=cross_entropy.Config)
    assignment: SimOTA = SimOTA()

    @override
    def build(self, num_classes: int) -> YOLOXLoss:
        return YOLOXLoss(num_classes, self)

    @override
    def for_classes(self, classes: TrainingClasses) -> "Config":
        return self.model_copy(update={"classification": self.classification.for_classes(classes)})
