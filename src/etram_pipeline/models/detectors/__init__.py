"""Detectors; one module per family."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses

if TYPE_CHECKING:
    from etram_pipeline.models.detector import Detector
else:  # the command line reads this module long before anything needs torch
    Detector = object


class DetectorConfig(Component):
    """Chooses a detector."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, in_channels: int, num_classes: int) -> Detector:
        """Make the detector for representations of `in_channels` channels."""

    @property
    def needs_masks(self) -> bool:
        """Whether the detector learns from the masks of objects, so that labels must have them."""
        return False

    def for_classes(self, classes: TrainingClasses) -> "DetectorConfig":  # noqa: ARG002
        """The same settings with what they leave to the data filled in."""
        return self
