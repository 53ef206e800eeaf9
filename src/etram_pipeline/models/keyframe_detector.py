"""The base of detectors that predict at keyframes, from features of frames made ready for them."""

from abc import abstractmethod
from dataclasses import replace
from functools import partial
from typing import ClassVar, Generic, TypeVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch, Targets
from etram_pipeline.core.errors import ExportError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Detector, Losses, State, check_lanes, reset_state
from etram_pipeline.models.execution import Execution
from etram_pipeline.models.keyframes import learn_keyframes
from etram_pipeline.models.postprocess import keep_visible
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.models.resizing import (
    frame_size,
    pad_masks,
    pad_to_multiple,
    resize_boxes,
    resize_frames,
    resize_masks,
    resize_targets,
)

Features = TypeVar("Features")


class KeyframeDetector(Detector, Generic[Features]):
    """A detector that computes features of the keyframes, then learns or detects in them.

    A family implements `keyframe_features`, `feature_losses` and `detect_in`. Boxes and masks are
    in px of the frames that `prepare` returns; detected ones are mapped back to the frames of the
    batch, cut at their border and limited to `suppression.max_detections`.

    Attributes:
        count_scale: Number that counts of events are divided by.
        compiled_parts: Names of the modules that `train.execution.compile` compiles; a family that
            has any lists `compile` in `execution_choices`.
    """

    count_scale: float = 1.0
    compiled_parts: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def keyframe_features(self, batch: SequenceBatch, state: State) -> tuple[Features, State]:
        """Features of the keyframes; without keyframes, it is called to update the memory only.

        Args:
            batch: The clips.
            state: State before them, reset where a lane starts.

        Returns:
            The features, and the state after the clips.
        """

    @abstractmethod
    def feature_losses(self, features: Features, targets: tuple[Targets, ...]) -> Losses:
        """Losses of at least one frame by name, to be summed, and others (see `is_loss`).

        Every parameter has a gradient, also where no frame has an object.
        """

    @abstractmethod
    def detect_in(self, features: Features, suppression: SuppressionSettings) -> list[Detections]:
        """Detections of each keyframe, best first."""

    def predict_in(self, features: Features) -> WindowPredictions:  # noqa: ARG002
        """All predictions of each keyframe, before any are selected; for families that export.

        Raises:
            ExportError: If the family cannot be exported.
        """
        raise ExportError(
            f"the detector {type(self).__name__} cannot be exported: it has no `predict_in`"
        )

    @override
    def predict_window(
        self, frames: Shaped[Tensor, "B C H W"], state: State
    ) -> tuple[WindowPredictions, State]:
        # Not `len`, which makes a constant of a free number of lanes.
        lanes = torch.arange(frames.shape[0], device=frames.device)
        keyframes = torch.stack([torch.zeros_like(lanes), lanes], dim=1)
        starts = torch.zeros_like(lanes, dtype=torch.bool)
        features, after = self.keyframe_features(
            SequenceBatch(frames[None], starts, keyframes), state
        )
        found = self.predict_in(features)
        boxes = resize_boxes(found.boxes_xyxy, self.size_of(frames), frame_size(frames))
        return replace(found, boxes_xyxy=boxes), after

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        return learn_keyframes(self, batch, partial(self._learn, self._open(batch, state)))

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        before = self._open(batch, state)
        has_keyframes = len(batch.keyframes) > 0
        if not (has_keyframes or self.has_memory):
            return [], ()
        features, after = self.keyframe_features(batch, before)
        if not has_keyframes:
            return [], after
        size = frame_size(batch.frames)
        found = [self._map_back(each, size) for each in self.detect_in(features, suppression)]
        return [keep_visible(each, *size, suppression.max_detections) for each in found], after

    @override
    def execute_with(self, execution: Execution) -> None:
        super().execute_with(execution)
        if execution.compile:
            for name in self.compiled_parts:
                # In place, as a wrapper would rename the weights of checkpoints.
                self.get_submodule(name).compile()

    def prepare(self, frames: Shaped[Tensor, "*n C H W"]) -> Float[Tensor, "*n C h w"]:
        """Frames as the family sees them.

        They are numbers of the type of its weights, divided by `count_scale`, resized to
        `input_size` and padded to multiples of `size_multiple`.
        """
        numbers = frames.to(next(self.parameters()).dtype)
        return self.prepare_resized(resize_frames(numbers, *self.size_of(frames)))

    def prepare_resized(self, frames: Shaped[Tensor, "*n C H W"]) -> Float[Tensor, "*n C h w"]:
        """What `prepare` returns for frames that already have the size the family sees."""
        numbers = frames.to(next(self.parameters()).dtype)
        return pad_to_multiple(numbers / self.count_scale, self.size_multiple)

    def _open(self, batch: SequenceBatch, state: State) -> State:
        check_lanes(state, len(batch.starts))
        return reset_state(state, batch.starts)

    def _learn(self, state: State, batch: SequenceBatch) -> tuple[Losses, State]:
        features, after = self.keyframe_features(batch, state)
        frames = batch.frames
        targets = resize_targets(batch.targets, frame_size(frames), self.size_of(frames))
        return self.feature_losses(features, pad_masks(targets, self.size_multiple)), after

    def _map_back(self, found: Detections, size: tuple[int, int]) -> Detections:
        """Detections in px of the frames of the batch, which have this height and width."""
        seen = self.input_size or size
        masks = found.masks
        if masks is not None:
            masks = resize_masks(masks[:, : seen[0], : seen[1]], *size)
        return replace(found, boxes_xyxy=resize_boxes(found.boxes_xyxy, seen, size), masks=masks)
