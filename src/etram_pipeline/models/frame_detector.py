"""The base of detectors that see each frame by itself."""

from abc import abstractmethod

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch, Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.keyframe_detector import KeyframeDetector


class FrameDetector(KeyframeDetector[Tensor]):
    """A detector without memory; only keyframes are computed.

    A family implements `frame_losses` and `detect_frames`. Both see frames that are ready for it:
    numbers of the type of its weights, divided by `count_scale`, resized to `input_size` and padded
    to multiples of `size_multiple`. Boxes and masks are in px of these frames; detected ones are
    mapped back to the frames of the batch, cut at their border and limited to
    `suppression.max_detections`.
    """

    has_memory = False

    @abstractmethod
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        """Losses of at least one frame by name, to be summed, and others (see `is_loss`).

        Every parameter has a gradient, also where no frame has an object.
        """

    @abstractmethod
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        """Detections of each frame, best first."""

    @override
    def keyframe_features(
        self, batch: SequenceBatch, state: State
    ) -> tuple[Float[Tensor, "K C H W"], State]:
        return self.prepare(batch.select_keyframes(batch.frames)), ()

    @override
    def feature_losses(
        self, features: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        return self.frame_losses(features, targets)

    @override
    def detect_in(
        self, features: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        return self.detect_frames(features, suppression)
