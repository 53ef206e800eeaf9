import pytest
import torch
from pydantic import ValidationError
from tests.models.learning_steps import learning_step
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.auxiliaries import Auxiliary, LearningStep, small_objects
from etram_pipeline.models.auxiliaries.several import Config, Several
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Losses, State

NOTHING = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


class Counting(Auxiliary):
    """Remembers in each of its memories how many batches there were, in its own unit."""

    def __init__(self, name: str, number: int, unit: float) -> None:
        super().__init__()
        self.name, self.number, self.unit = name, number, unit

    @override
    def num_memories(self, step: LearningStep) -> int:
        return self.number

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        before: list[Tensor] = list(state) or [torch.zeros(1)] * self.number
        return {self.name: torch.tensor(self.unit)}, tuple(each + self.unit for each in before)


def test_each_task_keeps_its_own_memories_and_losses() -> None:
    tasks = {"a": Counting("a", 2, 1.0), "b": Counting("b", 0, 5.0), "c": Counting("c", 1, 10.0)}
    several, step = Several(dict(tasks)), learning_step((NOTHING,))
    assert several.num_memories(step) == 3
    losses, state = several(step, ())
    assert {name: loss.item() for name, loss in losses.items()} == {"a": 1, "b": 5, "c": 10}
    _, state = several(step, state)
    assert [memory.item() for memory in state] == [2, 2, 20]


def test_tasks_are_built_with_what_the_data_says() -> None:
    tasks = [{"kind": "small_objects", "classes": ["bus"], "maximum_area": None}, {"kind": "none"}]
    config = Config.model_validate({"tasks": tasks})
    known = config.for_classes(TrainingClasses(("car", "bus"), (3, 4)))
    first, _ = known.tasks
    assert isinstance(first, small_objects.Config)
    assert first.classes == (1,)
    built = known.build((8, 16), (8, 16), 2)
    assert list(built.tasks) == ["small_objects", "none"]


@pytest.mark.parametrize(
    ("tasks", "message"),
    [
        ([], "at least 1 item"),
        ([{"kind": "none"}, {"kind": "none"}], "hold none 2 times"),
        ([{"kind": "several", "tasks": [{"kind": "none"}]}], "list all tasks side by side"),
    ],
)
def test_tasks_that_could_not_be_told_apart_are_refused(
    tasks: list[dict[str, object]], message: str
) -> None:
    with pytest.raises(ValidationError, match=message):
        Config.model_validate({"tasks": tasks})
