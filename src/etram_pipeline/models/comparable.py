"""Detectors that predict at every cell of a neck's maps, and so can learn from each other."""

from abc import abstractmethod
from dataclasses import dataclass
from functools import partial

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.auxiliaries import Auxiliary, LearningStep
from etram_pipeline.models.detector import Detector, Losses, State
from etram_pipeline.models.losses import DetectionLoss
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.normalisation import statistics_kept
from etram_pipeline.models.predictions import Level, Predictions
from etram_pipeline.models.resizing import frame_size, resize_targets


@dataclass(frozen=True)
class Seen:
    """What a dense detector computes for `K` frames.

    Attributes:
        size: Height and width in px of the image that the network sees, without padding.
        predictions: In px of that image.
        maps: Of the neck, finest first; empty if they are not compared.
    """

    size: tuple[int, int]
    predictions: Predictions
    maps: FeatureMaps = ()

    @property
    def levels(self) -> tuple[Level, ...]:
        """Cells of the maps."""
        return self.predictions.anchors.levels


class Comparable(Detector):
    """A detector with a neck, a prediction at every cell of its maps, and an auxiliary task.

    Attributes:
        loss: Compares its predictions with ground truth.
        auxiliary: Auxiliary task in training, whose memories follow those of the detector.
        num_memories: Number of tensors in its own part of the state.
    """

    loss: DetectionLoss
    auxiliary: Auxiliary
    num_memories: int = 0

    @abstractmethod
    def look(self, batch: SequenceBatch, size: tuple[int, int], state: State) -> tuple[Seen, State]:
        """Maps and predictions at the keyframes, of which there is at least one.

        Args:
            batch: The clips.
            size: Height and width in px that their frames are resized to, before they are padded.
            state: Memories of frames of this size before the clips, reset where a lane starts.

        Returns:
            What it computes, and the memories after the clips.
        """

    def keyframe_features(self, batch: SequenceBatch, state: State) -> tuple[Seen, State]:
        """Maps and predictions at the keyframes, at the size that the detector detects at."""
        return self.look(batch, self.size_of(batch.frames), state)

    def feature_losses(self, features: Seen, targets: tuple[Targets, ...]) -> Losses:
        """Losses of predictions, without the auxiliary task; targets are in px of `size`."""
        losses: Losses = self.loss(features.predictions, targets)
        return losses

    def _learn(self, state: State, batch: SequenceBatch) -> tuple[Losses, State]:
        """Losses of at least one keyframe, and the state after the batch."""
        seen, after = self.keyframe_features(batch, state[: self.num_memories])
        targets = resize_targets(batch.targets, frame_size(batch.frames), seen.size)
        losses = self.feature_losses(seen, targets)
        step = LearningStep(
            batch=batch,
            size=seen.size,
            targets=targets,
            maps=seen.maps,
            predictions=seen.predictions,
            predict=partial(self._predict_at, batch),
            num_memories=self.num_memories,
        )
        helping, kept = self.auxiliary(step, state[self.num_memories :])
        return losses | helping, after + kept

    def _predict_at(
        self, batch: SequenceBatch, size: tuple[int, int], state: State
    ) -> tuple[Predictions, State]:
        with statistics_kept(self):
            seen, after = self.look(batch, size, state)
        return seen.predictions, after
