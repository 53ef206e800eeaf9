"""The interface of every detector."""

from abc import ABC, abstractmethod

from jaxtyping import Float, Shaped
from pydantic import Field
from torch import Tensor, nn

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.component import Settings

Losses = dict[str, Float[Tensor, ""]]
State = tuple[Tensor, ...]


class Suppression(Settings):
    """Which predictions become detections.

    Attributes:
        score_threshold: Least joint confidence, objectness times class score.
        iou_threshold: Overlap above which the weaker of two boxes of one class is dropped.
        max_detections: Most detections of one window, best first.
    """

    score_threshold: float = Field(default=0.001, ge=0, le=1)
    iou_threshold: float = Field(default=0.45, gt=0, le=1)
    max_detections: int = Field(default=300, ge=1)


class Detector(nn.Module, ABC):
    """Finds objects at the keyframes of a batch.

    `state` is what a detector remembers between batches, one tensor per memory with the lane as
    its first axis. It is `()` before the first batch, and always `()` for a detector without
    memory. Rows of lanes whose `batch.starts` is True are zeroed before they are used.
    """

    @abstractmethod
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State | None = None
    ) -> tuple[Float[Tensor, "T B anchors outputs"], State]:
        """Raw predictions of every window: centre, size in px, objectness, class probabilities."""

    @abstractmethod
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        """Training losses by name, to be summed, and the state after the batch.

        Names that start with `num_` are counts to be logged, without gradient, not to be summed.
        """

    @abstractmethod
    def detect(
        self, batch: SequenceBatch, state: State, suppression: Suppression
    ) -> tuple[list[Detections], State]:
        """Detections of each keyframe, and the state after the batch."""


def reset_state(state: State, starts: Tensor) -> State:
    """Zero the rows of every lane that starts a recording."""
    keep = ~starts
    return tuple(memory * keep.view(-1, *[1] * (memory.ndim - 1)) for memory in state)
