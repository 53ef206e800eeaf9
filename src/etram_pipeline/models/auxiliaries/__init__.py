"""Auxiliary tasks, which support training and are not computed in detection."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.component import Component
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.predictions import Predictions
from etram_pipeline.models.workload import Workload

Predict = Callable[[tuple[int, int], State], tuple[Predictions, State]]


@dataclass(frozen=True)
class LearningStep:
    """What a detector has computed of a batch that it learns from.

    The network sees the frames resized to `size`, then padded at the bottom and on the right.
    Everything but `batch` is in px of the resized frames.

    Attributes:
        batch: The clips, with at least one keyframe, as they were loaded.
        size: Height and width that the frames are resized to.
        targets: Ground truth of each keyframe.
        maps: The neck's maps at the keyframes.
        predictions: Predictions at the keyframes.
        predict: Runs the same detector on the frames of the batch, resized to another height and
            width and padded, and returns its predictions at the same keyframes, in px of the
            resized frames, and the state after them. Running statistics of layers stay as they
            are. The given state is that of the detector after other frames of this size; `()`
            before the first.
        num_memories: Memories of the detector, which is the length of the states of `predict`.
    """

    batch: SequenceBatch
    size: tuple[int, int]
    targets: tuple[Targets, ...]
    maps: FeatureMaps
    predictions: Predictions
    predict: Predict
    num_memories: int = 0


class Auxiliary(nn.Module, ABC):
    """A further task at keyframes, in training only.

    A task may remember something from batch to batch: memories of its own, which are kept, saved
    and continued like those of the detector. Each has the lane as its first axis; rows of lanes
    that start are zeros. Training at several resolutions resizes it like a map of the padded frame.
    """

    def num_memories(self, step: LearningStep) -> int:  # noqa: ARG002
        """Number of tensors in its state."""
        return 0

    @abstractmethod
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        """What the task adds to the training, also without any object.

        Args:
            step: What the detector has computed.
            state: The memories after the batch before; `()` before the first batch.

        Returns:
            Losses of at least one image by name, to be summed, and others (see `is_loss`), none of
            them named like one of the detector; every parameter of the task has a gradient. Then
            the memories after the batch.
        """


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

    def working_bytes(
        self,
        load: Workload,  # noqa: ARG002
        of_detector: Callable[[bool], float],  # noqa: ARG002
    ) -> float:
        """Estimate of the memory that the task takes beside the training step of the detector.

        Args:
            load: What is computed at once.
            of_detector: What the detector itself takes for it, in a training step or in detection.
        """
        return 0.0

    def check_clips(self, clips: TrainingClips) -> None:  # most tasks learn from any
        """Check that the task can learn from these clips.

        Raises:
            SettingsError: If it cannot.
        """
