"""Focal loss: what is learnt already counts less."""

from typing import Literal

from jaxtyping import Float, Int64
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.models.classification_losses import (
    ClassificationLoss,
    ClassificationLossConfig,
    expected_scores,
    focal_cross_entropy,
)


class Focal(ClassificationLoss):
    """Cross-entropy of every class, times a power of its error."""

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.gamma = config.gamma

    @override
    def forward(
        self,
        logits: Float[Tensor, "F C"],
        class_ids: Int64[Tensor, " F"],
        ious: Float[Tensor, " F"],
    ) -> Float[Tensor, ""]:
        expected = expected_scores(logits, class_ids, ious)
        return focal_cross_entropy(logits, expected, self.gamma).sum()


class Config(ClassificationLossConfig):
    """Settings of the focal loss, which changes losses and gradients.

    Attributes:
        gamma: Power of the error; with 0 all errors count alike, as in cross-entropy.
    """

    kind: Literal["focal"] = "focal"
    gamma: float = Field(default=2.0, ge=0)

    @override
    def build(self, num_classes: int) -> Focal:
        return Focal(self)
