"""The ConvLSTM of RVT: gates from single pixels, optionally after a depth-wise convolution."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig, KernelSize
from etram_pipeline.models.detector import State
from etram_pipeline.models.recurrence import (
    FORGET_FIRST,
    open_state,
    pixel_maps,
    pixel_rows,
    update_memory,
)


class ConvLSTM(Cell):
    """LSTM at every pixel, with gates in the order forget, input, output, cell input.

    Its state is the hidden map and the memory. Under mixed precision both stay in single
    precision, so that the memory stays exact over thousands of windows.

    Source: Gehrig and Scaramuzza, "Recurrent Vision Transformers for Object Detection with Event
    Cameras", CVPR 2023, section 3.2; uzh-rpg/RVT models/layers/rnn.py.
    """

    num_memories: ClassVar[int] = 2

    def __init__(self, dim: int, config: "Config") -> None:
        super().__init__()
        self.dim = dim
        self.gates = nn.Conv2d(2 * dim, 4 * dim, kernel_size=1)
        self.dropout = nn.Dropout(config.cell_input_dropout)
        self.mixes_input = config.depthwise == "input_and_hidden"
        self.mixing: nn.Conv2d | None = None
        if config.depthwise != "none":
            mixed = 2 * dim if self.mixes_input else dim
            self.mixing = nn.Conv2d(
                mixed, mixed, config.kernel_size, padding=config.kernel_size // 2, groups=mixed
            )

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        weight = self.hidden_weight
        hidden, memory = open_state(state, maps, (self.dim, self.dim), weight.dtype)
        outputs = []
        for from_input in self.gates_from_input(maps):
            hidden, memory = self.step(from_input, weight, (hidden, memory), maps)
            outputs.append(hidden)
        kept = pixel_maps(hidden, maps), pixel_maps(memory, maps)
        return pixel_maps(torch.stack(outputs), maps), kept

    @property
    def hidden_weight(self) -> Float[Tensor, "G D"]:
        """The weights that map hidden values to gates."""
        return self.gates.weight.flatten(1)[:, self.dim :]

    def gates_from_input(self, maps: Float[Tensor, "T B D H W"]) -> Float[Tensor, "T pixels G"]:
        """The input's contribution to the gates of all windows, which needs no recurrence."""
        if self.mixing is not None and self.mixes_input:
            mixed = _convolve_channels(self.mixing, maps.flatten(0, 1), slice(self.dim))
            maps = mixed.unflatten(0, maps.shape[:2])
        weight = self.gates.weight.flatten(1)[:, : self.dim]
        return linear(pixel_rows(maps), weight, self.gates.bias)

    def step(
        self,
        from_input: Float[Tensor, "pixels G"],
        weight: Float[Tensor, "G D"],
        state: tuple[Float[Tensor, "pixels D"], Float[Tensor, "pixels D"]],
        like: Float[Tensor, "T B D H W"],
    ) -> tuple[Float[Tensor, "pixels D"], Float[Tensor, "pixels D"]]:
        """Hidden values and memory of every pixel after one more window.

        Args:
            from_input: Contribution of the window to the gates.
            weight: `hidden_weight`, taken once for all windows.
            state: Hidden values and memory before the window.
            like: Maps of the clip, for the places of the pixels.
        """
        hidden, memory = state
        if self.mixing is not None:
            maps = pixel_maps(hidden, like)
            hidden = pixel_rows(_convolve_channels(self.mixing, maps, slice(-self.dim, None)))
        gates = torch.addmm(from_input, hidden, weight.t())
        return update_memory(gates, memory, FORGET_FIRST, self.dropout)


def _convolve_channels(
    depthwise: nn.Conv2d, maps: Float[Tensor, "N D H W"], channels: slice
) -> Float[Tensor, "N D H W"]:
    """Some channels of a depth-wise convolution, applied to maps that have only those."""
    weight, bias = (depthwise.get_parameter(name)[channels] for name in ("weight", "bias"))
    return conv2d(maps, weight, bias, padding=weight.shape[-1] // 2, groups=len(weight))


class Config(CellConfig):
    """Settings of a ConvLSTM.

    Attributes:
        depthwise: Maps that pass through a depth-wise convolution before the gates; with none,
            pixels do not see each other in the recurrence.
        kernel_size: Side of that convolution's kernel, odd.
        cell_input_dropout: Share of the memory's updates dropped in training.
    """

    kind: Literal["conv_lstm"] = "conv_lstm"
    depthwise: Literal["none", "hidden", "input_and_hidden"] = "none"
    kernel_size: KernelSize = 3
    cell_input_dropout: float = Field(default=0.0, ge=0, lt=1)

    @override
    def build(self, dim: int) -> ConvLSTM:
        return ConvLSTM(dim, self)
