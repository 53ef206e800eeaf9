"""A trained detector, larger or at a higher resolution, that the detector learns from."""

from collections.abc import Callable
from typing import Literal

import torch
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.errors import EtramError
from etram_pipeline.models.agreement import attention_apart, boxes_apart, probabilities_apart
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.comparable import Comparable, Seen
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.workload import Workload


class Distillation(Auxiliary):
    """Asks for the maps and predictions of a frozen teacher, which reads the same frames.

    The teacher has its own resolution and its own memories, which are carried through each
    recording like those of the detector. It is in evaluation mode and never changes. It is no part
    of the detector: not in its parameters, its weights, their average, or a checkpoint. Its file is
    read at the first step, so that a detector that was taught detects without it.

    Source of the idea: Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; of the
    comparison of maps: Zagoruyko and Komodakis, "Paying More Attention to Attention", ICLR 2017.
    """

    def __init__(self, config: "Config") -> None:
        super().__init__()
        self.config = config
        # Not an attribute of its own, which would be a part of the detector.
        self._read: list[Comparable] = []

    @override
    def num_memories(self, step: LearningStep) -> int:
        return self._teacher().num_memories

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        config, device = self.config, step.batch.frames.device
        with torch.no_grad():
            teacher, after = self._teacher().to(device).keyframe_features(step.batch, state)
        learner = Seen(step.size, step.predictions, step.maps)
        objectness, classes = probabilities_apart(learner, teacher)
        boxes, num_sure = boxes_apart(learner, teacher, config.box_threshold)
        return {
            "teacher_maps": config.map_weight * attention_apart(learner, teacher),
            "teacher_objectness": config.objectness_weight * objectness,
            "teacher_class": config.class_weight * classes,
            "teacher_iou": config.box_weight * boxes,
            "num_teacher_boxes": num_sure,
        }, after

    def _teacher(self) -> Comparable:
        if not self._read:
            # The settings of detectors, which a checkpoint is read with, know this module.
            from etram_pipeline.models.teachers import read_teacher

            self._read.append(read_teacher(self.config.teacher)[1])
        return self._read[0]


class Config(AuxiliaryConfig):
    """Settings of the distillation; it changes losses and gradients.

    Attributes:
        teacher: Checkpoint of the detector to learn from: of this project (rvt or yolox) or of RVT,
            trained on the same classes and the same representation. Needed for training alone.
        map_weight: Weight of the distance between the attention of both necks, at most 2.
        objectness_weight: Weight of the divergence of objectness.
        class_weight: Weight of the divergence of the classes.
        box_weight: Weight of the distance between boxes.
        box_threshold: Boxes of the teacher with a higher score are compared.
    """

    kind: Literal["distillation"] = "distillation"
    teacher: str | None = None
    map_weight: float = Field(default=1.0, ge=0)
    objectness_weight: float = Field(default=1.0, ge=0)
    class_weight: float = Field(default=1.0, ge=0)
    box_weight: float = Field(default=1.0, ge=0)
    box_threshold: float = Field(default=0.3, ge=0, lt=1)

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> Distillation:
        return Distillation(self)

    @override
    def working_bytes(self, load: Workload, of_detector: Callable[[bool], float]) -> float:
        from etram_pipeline.models.teachers import read_teacher

        try:
            about, _ = read_teacher(self.teacher)
        except EtramError:  # reported by `check_clips`
            return 0.0
        return about.known_config().working_bytes(load, training=False)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        from etram_pipeline.models.teachers import check_teacher

        check_teacher(self.teacher, clips)
