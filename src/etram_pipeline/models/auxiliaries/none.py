"""No auxiliary task."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, LearningStep
from etram_pipeline.models.detector import Losses, State


class NoTask(Auxiliary):
    """Adds no loss."""

    @override
    def forward(self, step: LearningStep, state: State) -> tuple[Losses, State]:
        return {}, ()


class Config(AuxiliaryConfig):
    """Chooses no auxiliary task."""

    kind: Literal["none"] = "none"

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> NoTask:
        return NoTask()
