"""Recurrent backbones, which turn representations into feature maps; one module per backbone."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.cells import CellConfig
from etram_pipeline.models.detector import State
from etram_pipeline.models.execution import Execution


class Backbone(nn.Module, ABC):
    """Feature maps at several strides of every window of a clip.

    Attributes:
        channels: Channels of each stage's map, finest first.
        strides: Side in px of each stage's cells.
        size_multiple: Height and width of the input must be multiples of this number.
        num_memories: Tensors in its state.
        execution: How it computes; does not affect results.
    """

    channels: tuple[int, ...]
    strides: tuple[int, ...]
    size_multiple: int
    num_memories: int
    execution: Execution = Execution()

    @abstractmethod
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[tuple[Float[Tensor, "T B _ _ _"], ...], State]:
        """Feature maps of each stage, and the state after the last window.

        Args:
            frames: Representations, of any number type.
            state: State after the window before the first; empty stands for zeros.
        """

    def execute_with(self, execution: Execution) -> None:
        """Compute like this from now on."""
        self.execution = execution


class BackboneConfig(Component):
    """Chooses a backbone."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, in_channels: int, cell: CellConfig) -> Backbone:
        """Make the backbone for representations of `in_channels` channels."""
