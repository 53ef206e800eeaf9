"""The interface of every detector."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import ExportError, SettingsError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.execution import Execution
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.models.resizing import frame_size
from etram_pipeline.streaming.description import Selection

__all__ = [
    "COUNT",
    "RUNNING",
    "DenseDetector",
    "Detector",
    "Losses",
    "State",
    "SuppressionSettings",
    "check_lanes",
    "is_loss",
    "part_of",
    "reset_state",
    "total_loss",
]

Losses = dict[str, Float[Tensor, ""]]
State = tuple[Tensor, ...]

COUNT = "num_"
"""Begins the names of counts, which are summed over processes."""

RUNNING = "running_"
"""Begins the names of running values, which are the same in all processes."""


class Detector(nn.Module, ABC):
    """Finds objects at the keyframes of a batch.

    `state` is what a detector remembers between batches: one tensor per memory, with the lane as
    its first axis. It is `()` before the first batch, and always `()` for a detector without
    memory. In training, memories of an auxiliary task may follow those of the detector. Rows of
    lanes whose `batch.starts` is True are zeroed before they are used. A state returned in training
    still belongs to the graph: detach it before the next batch.

    Attributes:
        input_size: Height and width in px that frames are resized to first; None: no resizing.
        size_multiple: Height and width are then padded to multiples of this number, at the bottom
            and on the right. A memory covers the frame with its padding.
        frame_size: Height and width in px of the only frames that it can read; None: any.
        has_memory: Whether the state is anything but `()` in detection.
        computes_lanes_apart: Whether most of the work is done lane by lane, on several cores.
        execution_choices: Fields of `Execution` that the detector can follow.
        selection: How the predictions of `predict_window` become detections.
    """

    input_size: tuple[int, int] | None = None
    size_multiple: int = 1
    frame_size: tuple[int, int] | None = None
    has_memory: bool = True
    computes_lanes_apart: ClassVar[bool] = False
    execution_choices: ClassVar[frozenset[str]] = frozenset()
    selection: ClassVar[Selection] = "suppression"

    @abstractmethod
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        """Training losses by name, to be summed, and the state after the batch.

        Names that start with `num_` are counts and those that start with `running_` are running
        values, the same in all processes; both are logged, without gradient, and not summed.
        Without keyframes, all losses are 0, and every parameter still has a gradient.

        Raises:
            ValueError: If a keyframe has no targets.
        """

    @abstractmethod
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        """Detections of each keyframe, and the state after the batch."""

    def predict_window(
        self,
        frames: Shaped[Tensor, "B C H W"],  # noqa: ARG002
        state: State,  # noqa: ARG002
    ) -> tuple[WindowPredictions, State]:
        """All predictions for one window of every lane, and the state after it.

        This is what an exported file computes, so it is made of operations that ONNX has, and no
        step depends on the values of tensors. A family that can be exported implements it, and its
        settings say so (`DetectorConfig.export_fault`).

        Args:
            frames: The window of each lane.
            state: State after the windows before; empty for the first.

        Raises:
            ExportError: If the family cannot be exported.
        """
        raise ExportError(
            f"the detector {type(self).__name__} cannot be exported: it has no `predict_window`"
        )

    def size_of(self, frames: Tensor) -> tuple[int, int]:
        """Height and width in px that it resizes these frames to when it detects."""
        return self.input_size or frame_size(frames)

    def translate_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:  # noqa: ARG002
        """Weights of the library that this family comes from, under the names of this detector.

        A family that can start from such weights overrides this. Names that do not exist in the
        detector and shapes that do not fit are allowed: `pretrained.fitting_weights` leaves them
        out.
        """
        return {}

    def execute_with(self, execution: Execution) -> None:
        """Compute like this from now on; no result changes.

        Raises:
            SettingsError: If the detector cannot follow one of the settings.
        """
        self.check_execution(execution)

    def check_execution(self, execution: Execution) -> None:
        """Check that the detector can follow all settings that differ from their defaults.

        Raises:
            SettingsError: If it cannot follow one of them.
        """
        default = Execution()
        for name in Execution.model_fields.keys() - self.execution_choices:
            value = getattr(execution, name)
            if value != getattr(default, name):
                known = ", ".join(sorted(self.execution_choices)) or "none"
                raise SettingsError(
                    f"train.execution.{name} is {value}, but the detector {type(self).__name__} "
                    f"cannot follow it: remove this setting (settings that it follows: {known})"
                )


class DenseDetector(Detector):
    """A detector with one prediction per anchor, at every place of its maps."""

    @override
    def predict_window(
        self, frames: Shaped[Tensor, "B C H W"], state: State
    ) -> tuple[WindowPredictions, State]:
        stacked, after = self(frames[None], state)
        return WindowPredictions.of_stacked(stacked[0]), after

    @abstractmethod
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State | None = None
    ) -> tuple[Float[Tensor, "T B anchors outputs"], State]:
        """Raw predictions of every window: centre, size in px, objectness, class probabilities."""


def is_loss(name: str) -> bool:
    """Whether a value of this name is a loss: neither a count nor a running value."""
    return not name.startswith((COUNT, RUNNING))


def total_loss(losses: Losses) -> Float[Tensor, ""]:
    """The sum of all losses; counts (`num_…`) and running values (`running_…`) are left out."""
    return torch.stack([value for name, value in losses.items() if is_loss(name)]).sum()


def part_of(task: str, name: str) -> str:
    """Name of a loss or other value in a task beside the main one: `num_small_foreground`."""
    kind = next((kind for kind in (COUNT, RUNNING) if name.startswith(kind)), "")
    return f"{kind}{task}_{name.removeprefix(kind)}"


def reset_state(state: State, starts: Tensor) -> State:
    """Zero the rows of every lane that starts a recording."""
    return tuple(
        memory.masked_fill(starts.view(-1, *[1] * (memory.ndim - 1)), 0) for memory in state
    )


def check_lanes(state: State, num_lanes: int) -> None:
    """Check that a state belongs to a batch of `num_lanes` lanes.

    Raises:
        ValueError: If it has another number of lanes.
    """
    if torch.compiler.is_compiling():
        return  # an exported file has a free number of lanes, which is not a number yet
    lanes = {len(memory) for memory in state}
    if lanes - {num_lanes}:
        raise ValueError(
            f"the state remembers {sorted(lanes)} lanes, but the batch has {num_lanes}; "
            "start from an empty state when the number of lanes changes"
        )
