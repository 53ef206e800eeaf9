"""Losses of dense predictions; one module per loss."""

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import nn

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.predictions import Predictions


class DetectionLoss(nn.Module, ABC):
    """Compares predictions with ground truth."""

    @abstractmethod
    def forward(self, predictions: Predictions, targets: tuple[Targets, ...]) -> Losses:
        """Losses of at least one image by name, to be summed, and others (see `is_loss`)."""


class LossConfig(Component):
    """Chooses a loss."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, num_classes: int) -> DetectionLoss:
        """Make the loss for `num_classes` classes."""

    def for_classes(self, classes: TrainingClasses) -> "LossConfig":  # noqa: ARG002
        """The same settings with what they leave to the data filled in."""
        return self
