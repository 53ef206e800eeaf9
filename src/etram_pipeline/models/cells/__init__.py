"""Recurrent cells over the feature maps of successive windows; one module per cell."""

from abc import ABC, abstractmethod
from typing import Annotated, ClassVar

from jaxtyping import Float
from pydantic import AfterValidator, Field
from torch import Tensor, nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.detector import State


class Cell(nn.Module, ABC):
    """A recurrence over the feature maps of a clip."""

    num_memories: ClassVar[int]
    """Tensors in the cell's state, each of shape (lanes, channels, height, width)."""

    knows_time: ClassVar[bool] = False
    """Whether the cell can adapt to another time between windows than in training."""

    @abstractmethod
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        """Run over the windows of a clip, oldest first.

        Args:
            maps: Feature maps of every window.
            state: State after the previous windows; empty stands for zeros.

        Returns:
            The cell's output at every window, and its state after the last.
        """

    def rescale_time(self, factor: float) -> None:
        """Set the time between windows to `factor` times that of training.

        Another call replaces the factor. Cells that cannot adapt ignore it.
        """


def _check_odd(size: int) -> int:
    if size % 2 == 0:
        raise ValueError(f"kernel_size must be odd to keep the size of maps, not {size}")
    return size


KernelSize = Annotated[int, Field(ge=1), AfterValidator(_check_odd)]
"""Side of a kernel that keeps the size of maps."""


class CellConfig(Component):
    """Chooses a cell."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, dim: int) -> Cell:
        """Make the cell for maps of `dim` channels."""
