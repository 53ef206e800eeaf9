"""Several auxiliary tasks at once."""

from collections import Counter
from collections.abc import Callable
from typing import Literal

from pydantic import Field, field_validator
from torch import nn
from typing_extensions import override

from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.workload import Workload


class Several(Auxiliary):
    """Adds the losses of every task; their memories follow each other in the order of the tasks."""

    def __init__(self, tasks: dict[str, Auxiliary]) -> None:
        """Learn the tasks, given by their kind."""
        super().__init__()
        self.tasks = nn.ModuleDict(tasks)

    @override
    def num_memories(self, step: LearningStep) -> int:
        return sum(self._counts(step))

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        losses: Losses = {}
        after: State = ()
        for task, count in zip(self.tasks.values(), self._counts(step), strict=True):
            own, state = state[:count], state[count:]
            found, kept = task(step, own)
            losses |= found
            after += kept
        return losses, after

    def _counts(self, step: LearningStep) -> list[int]:
        tasks = (task for task in self.tasks.values() if isinstance(task, Auxiliary))
        return [task.num_memories(step) for task in tasks]


class Config(AuxiliaryConfig):
    """Settings of several tasks at once.

    Attributes:
        tasks: The tasks, each of another kind.
    """

    kind: Literal["several"] = "several"
    tasks: tuple[AuxiliaryConfig, ...] = Field(min_length=1)

    @field_validator("tasks")
    @classmethod
    def _check_tasks(cls, tasks: tuple[AuxiliaryConfig, ...]) -> tuple[AuxiliaryConfig, ...]:
        counts = Counter(task.kind for task in tasks)
        if "several" in counts:
            raise ValueError("must not hold `several` itself: list all tasks side by side")
        repeated = [kind for kind, count in counts.items() if count > 1]
        if repeated:
            raise ValueError(
                f"hold {repeated[0]} {counts[repeated[0]]} times, but losses are told apart by "
                "their task: list each kind once"
            )
        return tasks

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> Several:
        return Several(
            {task.kind: task.build(in_channels, strides, num_classes) for task in self.tasks}
        )

    @override
    def for_classes(self, classes: TrainingClasses) -> "Config":
        return self.model_copy(
            update={"tasks": tuple(task.for_classes(classes) for task in self.tasks)}
        )

    @override
    def working_bytes(self, load: Workload, of_detector: Callable[[bool], float]) -> float:
        return sum(task.working_bytes(load, of_detector) for task in self.tasks)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        for task in self.tasks:
            task.check_clips(clips)
