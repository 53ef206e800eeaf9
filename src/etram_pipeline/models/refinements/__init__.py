"""Refinements of feature maps between backbone and neck; one module per refinement."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.detector import State

ClipMaps = tuple[Float[Tensor, "T B _ _ _"], ...]
"""Maps of every window of a clip at several strides, finest first."""


class Refinement(nn.Module, ABC):
    """Changes the values of maps, not their shapes.

    Attributes:
        num_memories: Tensors in its state, each with the lane as its first axis.
    """

    num_memories: int

    @abstractmethod
    def forward(self, maps: ClipMaps, state: State) -> tuple[ClipMaps, State]:
        """Refined maps, and the state after the last window.

        Args:
            maps: Maps of every window.
            state: State after the window before the first; empty stands for zeros.
        """


class RefinementConfig(Component):
    """Chooses a refinement."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, channels: tuple[int, ...], strides: tuple[int, ...]) -> Refinement:
        """Make the refinement of maps of these channels and strides, finest first."""
