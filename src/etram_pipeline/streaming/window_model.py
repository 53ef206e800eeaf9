"""What a stream needs of a detector: one window of every lane after another."""

from abc import ABC, abstractmethod

import numpy as np
from jaxtyping import Bool, Float32, Integer

from etram_pipeline.streaming.description import Description
from etram_pipeline.streaming.selection import RawPredictions

Memories = tuple[Float32[np.ndarray, "_ ..."], ...]
"""What a detector remembers between windows: one array per memory, the lane first."""


class WindowModel(ABC):
    """A detector that reads one window of every lane after another.

    Attributes:
        description: What it says about itself.
        state: Memories after the last window; empty before the first one.
    """

    def __init__(self, description: Description) -> None:
        self.description = description
        self.state: Memories = ()

    @abstractmethod
    def run(
        self, frames: Integer[np.ndarray, "B C H W"], memories: Memories
    ) -> tuple[RawPredictions, Memories]:
        """As `step`, with the memories given and returned.

        Args:
            frames: One window of every lane.
            memories: Memories before them; empty for the first window.
        """

    def step(self, frames: Integer[np.ndarray, "B C H W"]) -> RawPredictions:
        """Predictions for the next window of every lane; the memory is carried on.

        Raises:
            ExportError: If the frames have another size, number of channels or type than the
                detector was exported for, or the number of lanes changed without `reset`.
        """
        found, self.state = self.run(frames, self.state)
        return found

    def reset(self, starts: Bool[np.ndarray, " B"] | None = None) -> None:
        """Forget what was seen, in the lanes that start a recording; None: in all lanes."""
        self.state = () if starts is None else forget(self.state, starts)


def forget(memories: Memories, starts: Bool[np.ndarray, " B"]) -> Memories:
    """Memories with zeros in the lanes that start a recording; the given ones do not change."""
    if not starts.any():
        return memories
    fresh = tuple(memory.copy() for memory in memories)
    for memory in fresh:
        memory[starts] = 0
    return fresh
