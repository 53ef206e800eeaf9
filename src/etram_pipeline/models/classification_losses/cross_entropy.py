"""Binary cross-entropy of every class, as in RVT."""

from typing import Literal

from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits
from typing_extensions import override

from etram_pipeline.models.classification_losses import (
    ClassificationLoss,
    ClassificationLossConfig,
    expected_scores,
)


class CrossEntropy(ClassificationLoss):
    """Lets all classes and all anchors count alike."""

    @override
    def forward(
        self,
        logits: Float[Tensor, "F C"],
        class_ids: Int64[Tensor, " F"],
        ious: Float[Tensor, " F"],
    ) -> Float[Tensor, ""]:
        expected = expected_scores(logits, class_ids, ious)
        return binary_cross_entropy_with_logits(logits, expected, reduction="sum")


class Config(ClassificationLossConfig):
    """Chooses cross-entropy."""

    kind: Literal["cross_entropy"] = "cross_entropy"

    @override
    def build(self, num_classes: int) -> CrossEntropy:
        return CrossEntropy()
