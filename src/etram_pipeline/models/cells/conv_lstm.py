"""The ConvLSTM of RVT: gates from single pixels, optionally after a depth-wise convolution."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, field_validator
from torch import Tensor, nn
from torch.nn.functional import conv2d, linear
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig
from etram_pipeline.models.detector import State


class ConvLSTM(Cell):
    """LSTM at every pixel, with gates in the order forget, input, output, cell input.

    Its state is the hidden map and the memory. Under mixed precision both stay in single
    precision, so that the memory does not lose what it gathers over thousands of windows.

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
        zeros = torch.zeros_like(maps[0], dtype=self.gates.weight.dtype)
        hidden, memory = state or (zeros, zeros)
        memory = memory.movedim(1, -1)
        outputs = []
        for from_input in self._gates_from_input(maps):
            gates = from_input + self._gates_from_hidden(hidden)
            forget, admit, emit, cell_input = gates.chunk(4, dim=-1)
            proposal = self.dropout(cell_input.tanh())
            memory = forget.sigmoid() * memory + admit.sigmoid() * proposal
            hidden = (emit.sigmoid() * memory.tanh()).movedim(-1, 1)
            outputs.append(hidden)
        return torch.stack(outputs), (hidden, memory.movedim(-1, 1))

    def _gates_from_input(self, maps: Float[Tensor, "T B D H W"]) -> Float[Tensor, "T B H W gates"]:
        # The input's share does not wait for the recurrence, so all windows go through at once.
        if self.mixing is not None and self.mixes_input:
            mixed = _convolve_channels(self.mixing, maps.flatten(0, 1), slice(self.dim))
            maps = mixed.view_as(maps)
        weight = self.gates.weight.flatten(1)[:, : self.dim]
        return linear(maps.movedim(2, -1), weight, self.gates.bias)

    def _gates_from_hidden(self, hidden: Float[Tensor, "B D H W"]) -> Float[Tensor, "B H W gates"]:
        if self.mixing is not None:
            hidden = _convolve_channels(self.mixing, hidden, slice(-self.dim, None))
        return linear(hidden.movedim(1, -1), self.gates.weight.flatten(1)[:, self.dim :])


def _convolve_channels(
    depthwise: nn.Conv2d, maps: Float[Tensor, "N D H W"], channels: slice
) -> Float[Tensor, "N D H W"]:
    """What some channels of a depth-wise convolution make of maps that have only those."""
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
    kernel_size: int = Field(default=3, ge=1)
    cell_input_dropout: float = Field(default=0.0, ge=0, lt=1)

    @field_validator("kernel_size")
    @classmethod
    def _check_odd(cls, size: int) -> int:
        if size % 2 == 0:
            raise ValueError(f"kernel_size must be odd to keep the size of maps, not {size}")
        return size

    @override
    def build(self, dim: int) -> ConvLSTM:
        return ConvLSTM(dim, self)
