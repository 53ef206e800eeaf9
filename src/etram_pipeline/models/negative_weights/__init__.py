"""How much an anchor that learns no object counts in the objectness loss; one module per rule."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor, nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.assignment import PaddedTargets
from etram_pipeline.models.predictions import Predictions


class NegativeWeight(nn.Module, ABC):
    """Weighs the objectness loss of anchors that learn no object."""

    @abstractmethod
    def forward(
        self,
        predictions: Predictions,
        targets: PaddedTargets,
        is_foreground: Bool[Tensor, "K A"],
    ) -> Float[Tensor, "K A"] | None:
        """Factors of the objectness loss at all anchors, without gradient; None: all are 1.

        Args:
            predictions: Predictions at all anchors.
            targets: The objects, in px of the image that the network sees.
            is_foreground: True where an anchor learns an object; the factor is 1 there.
        """


class NegativeWeightConfig(Component):
    """Chooses a rule."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self) -> NegativeWeight:
        """Make the rule."""
