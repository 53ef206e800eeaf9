"""Necks, which merge the maps of a backbone's stages; one module per neck."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor, nn

from etram_pipeline.core.component import Component

FeatureMaps = tuple[Float[Tensor, "K _ _ _"], ...]
"""Maps of the same images at several strides, finest first, each half as large as the last."""


class Neck(nn.Module, ABC):
    """Merges maps of several strides.

    Attributes:
        channels: Channels of each map it returns, finest first.
    """

    channels: tuple[int, ...]

    @abstractmethod
    def forward(self, maps: FeatureMaps) -> FeatureMaps:
        """Merged maps of the same sizes."""


class NeckConfig(Component):
    """Chooses a neck."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, in_channels: tuple[int, ...]) -> Neck:
        """Make the neck for maps of these numbers of channels, finest first."""
