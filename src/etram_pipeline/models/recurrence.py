"""Functions shared by recurrent cells: maps as rows of pixels, and the update of an LSTM."""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from etram_pipeline.models.detector import State

FORGET_FIRST = (0, 1, 2)
"""Places of the forget, input and output gate in RVT's order; the cell input is always last."""

INPUT_FIRST = (1, 0, 2)
"""Their places where the input gate comes first."""


def pixel_rows(maps: Float[Tensor, "*n B D H W"]) -> Float[Tensor, "*n pixels D"]:
    """The channels of every pixel of every lane; a view of maps that are channels-last."""
    return maps.movedim(-3, -1).flatten(-4, -2)


def pixel_maps(
    rows: Float[Tensor, "*n pixels D"], like: Float[Tensor, "... B _ H W"]
) -> Float[Tensor, "*n B D H W"]:
    """The channels-last maps whose `pixel_rows` these are, for as many pixels as `like` has."""
    num_lanes, _, height, width = like.shape[-4:]
    maps: Tensor = rows.unflatten(-2, (num_lanes, height, width))
    return maps.movedim(-1, -3)


def open_state(
    state: State, maps: Float[Tensor, "T B D H W"], channels: Sequence[int], dtype: torch.dtype
) -> tuple[Float[Tensor, "pixels _"], ...]:
    """The memories of a cell as rows of pixels; zeros where the state is empty.

    Args:
        state: State after the previous windows.
        maps: Maps of the next windows.
        channels: Channels of each memory.
        dtype: Number type of a new memory: that of the weights, not that of the maps.
    """
    if state:
        return tuple(pixel_rows(memory) for memory in state)
    num_pixels = maps[0, :, 0].numel()
    return tuple(maps.new_zeros(num_pixels, num, dtype=dtype) for num in channels)


def update_memory(
    gates: Float[Tensor, "*n gates"],
    memory: Float[Tensor, "*n D"],
    order: tuple[int, int, int],
    drop: Callable[[Tensor], Tensor],
) -> tuple[Float[Tensor, "*n D"], Float[Tensor, "*n D"]]:
    """One step of an LSTM.

    Args:
        gates: Three gates and the cell input before their activations.
        memory: Memory before the step; its number type is that of the results.
        order: Places of the forget, input and output gate among the three.
        drop: Dropout of the cell input.

    Returns:
        The hidden values and the new memory.
    """
    width = memory.shape[-1]
    raw_gates, cell_input = gates.split([3 * width, width], dim=-1)
    # One call for three gates is faster than three calls for parts of their rows.
    opened = raw_gates.sigmoid().chunk(3, dim=-1)
    forget, admit, emit = (opened[place] for place in order)
    memory = torch.addcmul(forget * memory, admit, drop(cell_input.tanh()))
    return emit * memory.tanh(), memory
