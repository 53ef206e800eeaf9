"""Auxiliary tasks, which support training and are not computed in detection."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.necks import FeatureMaps


class Auxiliary(nn.Module, ABC):
    """A further task on the maps of the neck at keyframes, in training only."""

    @abstractmethod
    def forward(self, maps: FeatureMaps, targets: tuple[Targets, ...]) -> Losses:
        """Losses of at least one image by name, to be summed, and others (see `is_loss`)."""


class AuxiliaryConfig(Component):
    """Chooses an auxiliary task."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> Auxiliary:
        """Make the task for maps of these channels and strides, finest first."""

    def for_classes(self, classes: TrainingClasses) -> "AuxiliaryConfig":  # noqa: ARG002
        """The same settings with what they leave to the data filled in."""
        return self
