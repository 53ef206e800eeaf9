"""How predicted classes are compared with those of the objects; one module per loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses


class ClassificationLoss(nn.Module, ABC):
    """Compares classes at anchors that learn an object.

    An anchor is to give its object's class the overlap of its box with the object as probability,
    and 0 to every other class.
    """

    @abstractmethod
    def forward(
        self,
        logits: Float[Tensor, "F C"],
        class_ids: Int64[Tensor, " F"],
        ious: Float[Tensor, " F"],
    ) -> Float[Tensor, ""]:
        """Sum over the anchors.

        Args:
            logits: Log odds of each class.
            class_ids: Class of each anchor's object.
            ious: Overlap of each anchor's box with it.
        """


class ClassificationLossConfig(Component):
    """Chooses a classification loss."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, num_classes: int) -> ClassificationLoss:
        """Make the loss for `num_classes` classes."""

    def for_classes(self, classes: TrainingClasses) -> "ClassificationLossConfig":  # noqa: ARG002
        """The same settings with what they leave to the data filled in."""
        return self


def expected_scores(
    logits: Float[Tensor, "F C"], class_ids: Int64[Tensor, " F"], ious: Float[Tensor, " F"]
) -> Float[Tensor, "F C"]:
    """The probability each anchor is to give each class."""
    return one_hot(class_ids, logits.shape[1]) * ious[:, None]


def focal_cross_entropy(
    logits: Float[Tensor, "F C"], expected: Float[Tensor, "F C"], gamma: float
) -> Float[Tensor, "F C"]:
    """Cross-entropy times the `gamma`-th power of the error `|expected - probability|`.

    With `gamma` 0 it is the cross-entropy itself.

    Source: Li et al., "Generalized Focal Loss", NeurIPS 2020, eq. 2 (quality focal loss), which
    carries Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, over to expectations
    between 0 and 1.
    """
    loss = binary_cross_entropy_with_logits(logits, expected, reduction="none")
    if gamma == 0:
        return loss
    # A power below 1 has no finite slope at 0, where logits far from 0 end up.
    error = (expected - logits.sigmoid()).abs().clamp(min=torch.finfo(logits.dtype).eps)
    return error**gamma * loss
