"""Predictions of one road user at neighbouring keyframes are asked to agree."""

from typing import Literal

import torch
from jaxtyping import Bool, Int64
from pydantic import Field, NonNegativeFloat, PositiveInt
from torch import Tensor
from torch.nn.functional import relu
from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.normalisation import foreground_count
from etram_pipeline.models.object_predictions import ObjectPredictions

_UNKNOWN = -1


class TemporalConsistency(Auxiliary):
    """Compares the predictions of every track that two consecutive keyframes of a lane label.

    A predicted box is compared with the label of its own keyframe, relative to the size of that
    label. Subtracting these errors compares one prediction, moved and scaled along the labelled
    track, with the other, so that motion and a change of size are no disagreement. Differences up
    to a margin are free. Batches without such a pair have a loss of 0.

    The idea of matching predictions between frames is that of Jeong et al., "Consistency-based
    Semi-supervised Learning for Object Detection", NeurIPS 2019, which compares an image and its
    mirror image; tracks take the place of mirroring here.
    """

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.config = config

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        found = ObjectPredictions.of(step.predictions, step.targets)
        follows = following(step.batch.keyframes, self.config.max_gap)
        first, second = pairs(follows, found.image, step.targets)
        num_pairs = torch.ones_like(first).sum()
        per = foreground_count(num_pairs)
        boxes = found.box_errors[first] - found.box_errors[second]
        score = found.log_scores.exp()
        scores = score[first] - score[second]
        losses = {
            "temporal_box": self.config.box_weight
            * relu(boxes.abs() - self.config.box_margin).mean(1).sum()
            / per,
            "temporal_score": self.config.score_weight
            * relu(scores.abs() - self.config.score_margin).sum()
            / per,
            "num_temporal_pairs": num_pairs.to(boxes.dtype),
        }
        return losses, ()


def following(keyframes: Int64[Tensor, "K 2"], max_gap: int) -> Bool[Tensor, "K K"]:
    """True where the second keyframe is the next one of the first one's lane.

    Args:
        keyframes: Window and lane of each.
        max_gap: Greatest number of windows from one to the next.
    """
    windows, lanes = keyframes.unbind(1)
    gaps = windows - windows[:, None]
    is_later = (lanes == lanes[:, None]) & (gaps > 0) & (gaps <= max_gap)
    gaps = gaps.masked_fill(~is_later, max_gap + 1)
    return is_later & (gaps == gaps.amin(1, keepdim=True))


def pairs(
    follows: Bool[Tensor, "K K"], image: Int64[Tensor, " N"], targets: tuple[Targets, ...]
) -> tuple[Int64[Tensor, " P"], Int64[Tensor, " P"]]:
    """Objects of the same track and class at keyframes that follow each other.

    Args:
        follows: See `following`.
        image: Keyframe of each object.
        targets: Ground truth of each keyframe; those without tracks have no pairs.
    """
    track = torch.cat(
        [
            torch.full_like(each.class_ids, _UNKNOWN) if each.track_ids is None else each.track_ids
            for each in targets
        ]
    )
    class_id = torch.cat([target.class_ids for target in targets])
    is_same = (track[:, None] == track) & (track != _UNKNOWN) & (class_id[:, None] == class_id)
    first, second = (is_same & follows[image][:, image]).nonzero().unbind(1)
    return first, second


class Config(AuxiliaryConfig):
    """Settings of the agreement along tracks.

    Attributes:
        box_weight: Weight of the mean difference of box errors, in shares of the box and logarithms
            of its sides.
        score_weight: Weight of the difference of scores, objectness times class probability.
        box_margin: Difference of a box error that is free.
        score_margin: Difference of scores that is free.
        max_gap: Greatest distance of two keyframes that are compared, in windows.
    """

    kind: Literal["temporal_consistency"] = "temporal_consistency"
    box_weight: NonNegativeFloat = 1.0
    score_weight: NonNegativeFloat = 0.5
    box_margin: NonNegativeFloat = 0.05
    score_margin: float = Field(default=0.1, ge=0, le=1)
    max_gap: PositiveInt = 4

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> TemporalConsistency:
        return TemporalConsistency(self)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        needs = "auxiliary temporal_consistency compares labelled windows of one clip"
        if clips.length == 1:
            raise SettingsError(f"{needs}, but train.clip_length is 1: set it to at least 2")
        gap = clips.label_gap
        if gap is not None and gap >= clips.length:
            raise SettingsError(
                f"{needs}, but those of the training recordings are at least {gap} windows apart "
                f"and train.clip_length is {clips.length}: set it to at least {gap + 1}"
            )
        if gap is not None and gap > self.max_gap:
            raise SettingsError(
                f"{needs} up to max_gap {self.max_gap} windows apart, but those of the training "
                f"recordings are at least {gap} apart: set max_gap to at least {gap}"
            )
        if clips.has_tracks is False:
            raise SettingsError(
                f"{needs} along tracks, but no label file of the training recordings has track "
                "ids: leave the task out, or label tracks in the column track_id"
            )
