"""Predictions for the same clip at a second scale, which are asked to agree."""

from collections.abc import Callable
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models.agreement import probabilities_apart
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.comparable import Seen
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.normalisation import foreground_count
from etram_pipeline.models.object_predictions import ObjectPredictions
from etram_pipeline.models.resizing import resize_targets, scaled_size
from etram_pipeline.models.workload import Workload


class ScaleConsistency(Auxiliary):
    """Asks the detector to predict the same at two scales: the smaller one learns from the larger.

    The larger frames show small objects on more cells, so their predictions are the target and have
    no gradient; otherwise they would also learn the mistakes of the smaller ones. The same detector
    sees the frames at the second scale, with memories of their own. Its weights learn there (scale
    below 1) or at the scale of the frames (above 1).

    Source of the idea: Li et al., "PseCo", ECCV 2022, section 3.3, and Guo et al.,
    "Scale-Equivalent Distillation", CVPR 2022, who ask for agreement of two scales in images
    without labels; here it is asked for in addition to the labels.
    """

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.config = config

    @override
    def num_memories(self, step: LearningStep) -> int:
        return step.num_memories

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        config, size = self.config, scaled_size(step.size, self.config.scale)
        is_larger = config.scale > 1
        with torch.set_grad_enabled(torch.is_grad_enabled() and not is_larger):
            predictions, after = step.predict(size, state)
        at_first, at_second = Seen(step.size, step.predictions), Seen(size, predictions)
        targets = resize_targets(step.targets, step.size, size)
        of_first = ObjectPredictions.of(step.predictions, step.targets)
        of_second = ObjectPredictions.of(predictions, targets)
        if is_larger:
            learner, teacher, objects, taught = at_first, at_second, of_first, of_second
        else:
            learner, teacher, objects, taught = at_second, at_first, of_second, of_first
        objectness, classes = probabilities_apart(learner, teacher, config.margin)
        boxes, scores = objects_apart(objects, taught, config.margin)
        return {
            "scale_objectness": config.dense_weight * objectness,
            "scale_class": config.dense_weight * classes,
            "scale_box": config.object_weight * boxes,
            "scale_score": config.object_weight * scores,
        }, after


def objects_apart(
    learner: ObjectPredictions, teacher: ObjectPredictions, margin: float
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Mean difference of boxes and of scores of the same labelled objects; 0 without objects.

    Boxes are compared by their four errors relative to the labelled size, scores as probabilities;
    of each difference, `margin` is subtracted, at most all of it. Objects weigh as much as the
    score of the teacher, which has no gradient. The sum is divided by the sum of the weights, or by
    1 if that is more.
    """
    taught = teacher.log_scores.detach().exp()
    box = (learner.box_errors - teacher.box_errors.detach()).abs() - margin
    score = (learner.log_scores.exp() - taught).abs() - margin
    per = foreground_count(taught.sum())
    return (taught * box.relu().mean(1)).sum() / per, (taught * score.relu()).sum() / per


class Config(AuxiliaryConfig):
    """Settings of the second scale; it changes losses and gradients.

    A step computes every window twice. A scale `s` below 1 adds about `s²` of a step, a scale above
    1 the forward pass of `s²` times the area.

    Attributes:
        scale: Height and width of the second frames, in those of the frames that the network sees;
            the padding is added afterwards. 1: the same frames again.
        margin: Difference that costs nothing: of probabilities, and of boxes relative to the size
            of the labelled object.
        dense_weight: Weight of the divergence of objectness and classes at all cells.
        object_weight: Weight of the differences for labelled objects.
    """

    kind: Literal["scale_consistency"] = "scale_consistency"
    scale: float = Field(default=1.5, ge=0.25, le=4)
    margin: float = Field(default=0.05, ge=0, lt=1)
    dense_weight: float = Field(default=1.0, ge=0)
    object_weight: float = Field(default=1.0, ge=0)

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> ScaleConsistency:
        return ScaleConsistency(self)

    @override
    def working_bytes(self, load: Workload, of_detector: Callable[[bool], float]) -> float:
        return self.scale**2 * of_detector(self.scale <= 1)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        if clips.scales:
            raise SettingsError(
                f"train.resolution.scales {list(clips.scales)} would resize the memories of "
                "detector.auxiliary scale_consistency to another size than its second frames "
                "have: set only one of them"
            )
