"""Equalisation loss v2: classes are balanced by the gradients they have received."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64
from pydantic import Field
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from typing_extensions import override

from etram_pipeline.core.ranks import sum_over_ranks
from etram_pipeline.models.classification_losses import (
    ClassificationLoss,
    ClassificationLossConfig,
    expected_scores,
)


class EqualizationV2(ClassificationLoss):
    """Cross-entropy whose weights follow the gradients so far.

    For each class, gradients at anchors of its objects (positive) and at those of other classes
    (negative) are added up, over all processes. The smaller their ratio, the less further negative
    ones weigh and the more positive ones. Sums grow in training alone.

    Source: Tan et al., "Equalization Loss v2: A New Gradient Balance Approach for Long-tailed
    Object Detection", CVPR 2021, gradient-guided reweighting; there the targets are 0 and 1.
    """

    positive_gradients: Tensor
    negative_gradients: Tensor

    def __init__(self, num_classes: int, config: "Config") -> None:
        super().__init__()
        self.config = config
        self.register_buffer("positive_gradients", torch.zeros(num_classes))
        self.register_buffer("negative_gradients", torch.zeros(num_classes))

    @override
    def forward(
        self,
        logits: Float[Tensor, "F C"],
        class_ids: Int64[Tensor, " F"],
        ious: Float[Tensor, " F"],
    ) -> Float[Tensor, ""]:
        is_positive = one_hot(class_ids, logits.shape[1]).bool()
        expected = expected_scores(logits, class_ids, ious)
        of_positive, of_negative = self._weights()
        weights = torch.where(is_positive, of_positive, of_negative)
        loss = binary_cross_entropy_with_logits(logits, expected, weights, reduction="sum")
        if self.training and torch.is_grad_enabled():
            gradients = weights * (logits.detach().sigmoid() - expected).abs()
            self._add(gradients, is_positive)
        return loss

    def _weights(self) -> tuple[Float[Tensor, " C"], Float[Tensor, " C"]]:
        """Weights of the positive and of the negative gradients of each class."""
        # A class that has not received any gradient counts as balanced.
        ratio = self.positive_gradients / self.negative_gradients
        ratio = ratio.where(self.negative_gradients > 0, torch.inf)
        of_negative = (self.config.gamma * (ratio - self.config.mu)).sigmoid()
        return 1 + self.config.alpha * (1 - of_negative), of_negative

    @torch.no_grad()
    def _add(self, gradients: Float[Tensor, "F C"], is_positive: Bool[Tensor, "F C"]) -> None:
        received = [gradients.where(chosen, 0).sum(0) for chosen in (is_positive, ~is_positive)]
        positive, negative = sum_over_ranks(torch.stack(received))
        self.positive_gradients += positive
        self.negative_gradients += negative


class Config(ClassificationLossConfig):
    """Settings of the equalisation loss, which changes losses and gradients.

    Attributes:
        gamma: Steepness of the weight of negative gradients over the ratio.
        mu: Ratio at which negative gradients weigh half.
        alpha: Largest addition to the weight of positive gradients, which is 1 else.
    """

    kind: Literal["equalization_v2"] = "equalization_v2"
    gamma: float = Field(default=12.0, gt=0)
    mu: float = Field(default=0.8, ge=0)
    alpha: float = Field(default=4.0, ge=0)

    @override
    def build(self, num_classes: int) -> EqualizationV2:
        return EqualizationV2(num_classes, self)
