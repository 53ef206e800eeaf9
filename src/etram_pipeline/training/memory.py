"""The recurrent state of a detector between the clips of each lane."""

from collections.abc import Mapping
from typing import Any

import torch

from etram_pipeline.models.detector import State

Size = tuple[int, int]


class LaneMemory:
    """The state of the lanes, for each frame size separately: a batch has frames of one size."""

    def __init__(self) -> None:
        """Start without any state."""
        self._of_size: dict[Size, tuple[int, State]] = {}
        self._of_any: State = ()

    def before(self, size: Size, number: int) -> tuple[State, int]:
        """The state before a batch, and the number of the batch that left it.

        Args:
            size: Height and width of the batch's frames.
            number: Number of the batch, counted from 0.
        """
        if self._of_any:
            state, self._of_any = self._of_any, ()
            return state, number - 1
        last, state = self._of_size.get(size, (number - 1, ()))
        return state, last

    def keep(self, size: Size, number: int, state: State) -> None:
        """Keep the state after a batch."""
        self._of_size[size] = number, tuple(memory.detach() for memory in state)

    def saved(self) -> dict[str, Any]:
        """All states as plain data and copies of tensors on the CPU."""
        states = [state for _, state in self._of_size.values()] or [self._of_any]
        return {
            # A copy, as a view would be saved with all that it is a view of.
            "lanes": tuple(memory.to("cpu", copy=True) for state in states for memory in state),
            "sizes": [
                [*size, number, len(state)] for size, (number, state) in self._of_size.items()
            ],
        }

    def restore(self, saved: Mapping[str, Any], device: torch.device) -> None:
        """Restore the result of `saved` on `device`.

        Checkpoints of older versions have one state without a size, which fits any batch.
        """
        memories = [memory.to(device) for memory in saved["lanes"]]
        self._of_size, self._of_any = {}, ()
        if "sizes" not in saved:
            self._of_any = tuple(memories)
            return
        for height, width, number, count in saved["sizes"]:
            self._of_size[height, width] = number, tuple(memories[:count])
            del memories[:count]
