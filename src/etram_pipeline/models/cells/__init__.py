"""Recurrent cells, which carry a feature map from window to window; one module per cell."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.detector import State


class Cell(nn.Module, ABC):
    """A recurrence over the feature maps of a clip."""

    num_memories: ClassVar[int]
    """Tensors in the cell's state."""

    @abstractmethod
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        """Run over the windows of a clip, oldest first.

        Args:
            maps: Feature maps of every window.
            state: What the cell kept from the windows before; empty stands for zeros.

        Returns:
            The cell's output at every window, and its state after the last.
        """


class CellConfig(Component):
    """Chooses a cell."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, dim: int) -> Cell:
        """Make the cell for maps of `dim` channels."""
