"""Losses that compare predicted classes with those of the objects; one module per loss."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeInt
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot
from typing_extensions import override

from etram_pipeline.core.component import Component
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.classes import TrainingClasses


class ClassificationLoss(nn.Module, ABC):
    """Compares classes at anchors that learn an object.

    The target probability of the object's class is the overlap of the anchor's box with the object;
    that of every other class is 0.
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
    """Target probability of each class at each anchor."""
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
    # A power below 1 has an infinite slope at 0, which extreme logits reach.
    error = (expected - logits.sigmoid()).abs().clamp(min=torch.finfo(logits.dtype).eps)
    return error**gamma * loss


class ClassWeighted(ClassificationLoss):
    """Cross-entropy of all classes at an anchor, times the weight of its object's class."""

    weights: Tensor

    def __init__(self, weights: Sequence[float], gamma: float) -> None:
        super().__init__()
        self.gamma = gamma
        # Checkpoints hold the counts, from which the weights follow.
        self.register_buffer("weights", torch.tensor(weights), persistent=False)

    @override
    def forward(
        self,
        logits: Float[Tensor, "F C"],
        class_ids: Int64[Tensor, " F"],
        ious: Float[Tensor, " F"],
    ) -> Float[Tensor, ""]:
        expected = expected_scores(logits, class_ids, ious)
        of_anchor = focal_cross_entropy(logits, expected, self.gamma).sum(1)
        return (self.weights[class_ids] * of_anchor).sum()


class CountedConfig(ClassificationLossConfig):
    """A loss that weights classes by their frequency; it changes losses and gradients.

    The weights of the classes with boxes add up to the number of these classes. A class without
    boxes has the weight 1, which has no effect. Frequent classes have weights below 1, so the total
    class loss is lower; `class_weight` of the loss can compensate for it.

    Attributes:
        counts: Boxes of each class in the order of their ids; None: training counts
            them in its labels.
        gamma: Power of the error that multiplies the cross-entropy, as in `focal`; 0: none.
    """

    counts: tuple[NonNegativeInt, ...] | None = None
    gamma: float = Field(default=0.0, ge=0)

    @abstractmethod
    def weigh(self, count: int) -> float:
        """Weight of a class with `count` boxes, at least one, up to a factor for all classes."""

    @override
    def build(self, num_classes: int) -> ClassWeighted:
        if self.counts is None:
            raise SettingsError(
                f"loss.classification '{self.kind}' weighs classes by their number of boxes, which "
                "a training counts in its labels; give them as loss.classification.counts here"
            )
        if len(self.counts) != num_classes:
            raise SettingsError(
                f"loss.classification.counts has {len(self.counts)} numbers, but there are "
                f"{num_classes} classes; leave it out to have a training count them"
            )
        return ClassWeighted(normalised_weights(self.counts, self.weigh), self.gamma)

    @override
    def for_classes(self, classes: TrainingClasses) -> "CountedConfig":
        if self.counts is not None:
            return self
        return self.model_copy(update={"counts": classes.counts})


def normalised_weights(counts: Sequence[int], weigh: Callable[[int], float]) -> list[float]:
    """Weights of classes by their counts, 1 on average."""
    weights = [weigh(count) for count in counts if count]
    mean = sum(weights) / max(len(weights), 1)
    return [weigh(count) / mean if count else 1.0 for count in counts]
