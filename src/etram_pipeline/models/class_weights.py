"""Losses that weigh classes by how many boxes of them there are."""

from abc import abstractmethod
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int64
from pydantic import Field, NonNegativeInt
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.classification_losses import (
    ClassificationLoss,
    ClassificationLossConfig,
    expected_scores,
    focal_cross_entropy,
)


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
    """A loss that weighs classes by their frequency, which changes losses and gradients.

    The weights of the classes that have boxes add up to the number of these classes. A class
    without boxes weighs 1, which no anchor notices. Frequent classes weigh less than 1, so the
    class loss as a whole falls; `class_weight` of the loss can make up for it.

    Attributes:
        counts: Boxes of each class in the order of their ids; None: counted in the labels by a
            training.
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
