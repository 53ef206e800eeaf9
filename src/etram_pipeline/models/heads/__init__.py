"""Heads, which predict boxes and classes from feature maps; one module per head."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from etram_pipeline.core.component import Component
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.predictions import Predictions


class Head(nn.Module, ABC):
    """Predicts a box, an objectness and classes at every cell of every map."""

    @abstractmethod
    def forward(self, maps: FeatureMaps) -> Predictions:
        """Predictions for `K` images, in single precision or better."""


class HeadConfig(Component):
    """Chooses a head."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> Head:
        """Make the head for maps of these channels and strides, finest first."""
