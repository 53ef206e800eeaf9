"""The base of detectors that see each frame by itself."""

from abc import abstractmethod
from dataclasses import replace

from jaxtyping import Float
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch, Targets
from etram_pipeline.models.detector import Detector, Losses, State
from etram_pipeline.models.keyframes import learn_keyframes
from etram_pipeline.models.postprocess import keep_visible
from etram_pipeline.models.resizing import (
    frame_size,
    pad_masks,
    pad_to_multiple,
    resize_boxes,
    resize_frames,
    resize_masks,
    resize_targets,
)
from etram_pipeline.models.suppression import SuppressionSettings


class FrameDetector(Detector):
    """A detector without memory; only keyframes are computed.

    A family implements `frame_losses` and `detect_frames`. Both see frames that are ready for it:
    numbers of the type of its weights, divided by `count_scale`, resized to `input_size` and padded
    to multiples of `size_multiple`. Boxes and masks are in px of these frames; detected ones are
    mapped back to the frames of the batch, cut at their border and limited to
    `suppression.max_detections`.

    Attributes:
        count_scale: Number that counts of events are divided by.
    """

    count_scale: float = 1.0

    @abstractmethod
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        """Losses of at least one frame by name, to be summed, and counts (`num_…`).

        Every parameter has a gradient, also where no frame has an object.
        """

    @abstractmethod
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        """Detections of each frame, best first."""

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        return learn_keyframes(self, batch, self._learn), ()

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        if len(batch.keyframes) == 0:
            return [], ()
        size = frame_size(batch.frames)
        found = [
            self._map_back(each, size)
            for each in self.detect_frames(self._prepare(batch), suppression)
        ]
        return [keep_visible(each, *size, suppression.max_detections) for each in found], ()

    def _map_back(self, found: Detections, size: tuple[int, int]) -> Detections:
        """Detections in px of the frames of the batch, which have this height and width."""
        seen = self.input_size or size
        masks = found.masks
        if masks is not None:
            masks = resize_masks(masks[:, : seen[0], : seen[1]], *size)
        return replace(found, boxes_xyxy=resize_boxes(found.boxes_xyxy, seen, size), masks=masks)

    def _learn(self, batch: SequenceBatch) -> Losses:
        size = frame_size(batch.frames)
        targets = resize_targets(batch.targets, size, self.input_size or size)
        return self.frame_losses(self._prepare(batch), pad_masks(targets, self.size_multiple))

    def _prepare(self, batch: SequenceBatch) -> Float[Tensor, "K C h w"]:
        """The keyframes as the family sees them."""
        frames = batch.select_keyframes(batch.frames).to(next(self.parameters()).dtype)
        sized = resize_frames(frames, *(self.input_size or frame_size(frames)))
        return pad_to_multiple(sized / self.count_scale, self.size_multiple)
