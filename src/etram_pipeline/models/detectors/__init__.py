"""Detectors; one module per family."""

from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar

from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.workload import BytesPerPx, Workload

if TYPE_CHECKING:
    from etram_pipeline.models.detector import Detector
else:  # the command line reads this module long before anything needs torch
    Detector = object


_RVT_TINY = BytesPerPx(training=1000, detection=260)


class DetectorConfig(Component):
    """Chooses a detector."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(self, in_channels: int, num_classes: int) -> Detector:
        """Make the detector for representations of `in_channels` channels."""

    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Estimate of the memory that computing on a CPU in single precision takes at its peak.

        Not included are the frames as they are stored, the weights and the optimizer. This default
        is what RVT-Tiny takes. Each family replaces it by what was measured for it:
        `python -m benchmarks.detectors` for two sizes of frames of 20 channels; the difference in
        memory divided by the difference in pixels.

        Args:
            load: What is computed at once. A detector without memory computes only its keyframes.
            training: Whether this is a training step, or detection.
        """
        return _RVT_TINY.of(load.window_px(None), training=training)

    @property
    def needs_masks(self) -> bool:
        """Whether the detector learns from the masks of objects, so that labels must have them."""
        return False

    @property
    def export_fault(self) -> str:
        """Why the detector cannot be exported to ONNX; empty if it can."""
        return "its family does not say that it can be (`DetectorConfig.export_fault`)"

    def for_classes(self, classes: TrainingClasses) -> "DetectorConfig":  # noqa: ARG002
        """The same settings with what they leave to the data filled in."""
        return self

    def check_clips(self, clips: TrainingClips) -> None:  # most learn from any
        """Check that the detector can learn from these clips.

        Raises:
            SettingsError: If it cannot.
        """
