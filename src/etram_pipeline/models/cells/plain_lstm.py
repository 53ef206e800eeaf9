"""RVT's LSTM with the weight layout of a fork of eTraM."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import linear
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig
from etram_pipeline.models.detector import State
from etram_pipeline.models.recurrence import (
    INPUT_FIRST,
    open_state,
    pixel_maps,
    pixel_rows,
    update_memory,
)


class PlainLSTM(Cell):
    """LSTM at every pixel, with gates in the order input, forget, output, cell input.

    It computes the same function as `conv_lstm` without depth-wise convolution, and `lstm_layouts`
    converts the weights of either into those of the other. Only the initialisation differs: an open
    forget gate, Xavier weights for the input, orthogonal weights for the hidden map.

    Source: JeongbinOK/eTram-rvt, rvt_eTram/models/layers/rnn.py, `PlainLSTM2d`.
    """

    num_memories: ClassVar[int] = 2

    def __init__(self, dim: int, config: "Config") -> None:
        super().__init__()
        self.dim = dim
        self.input_transform = nn.Conv2d(dim, 4 * dim, kernel_size=1)
        self.hidden_transform = nn.Conv2d(dim, 4 * dim, kernel_size=1, bias=False)
        self.dropout = nn.Dropout(config.cell_input_dropout)
        bias = torch.zeros(4 * dim)
        bias[dim : 2 * dim] = 1
        self.input_transform.bias = nn.Parameter(bias)
        nn.init.xavier_uniform_(self.input_transform.weight)
        nn.init.orthogonal_(self.hidden_transform.weight)

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        of_input, of_hidden = (
            transform.weight.flatten(1)
            for transform in (self.input_transform, self.hidden_transform)
        )
        hidden, memory = open_state(state, maps, (self.dim, self.dim), of_input.dtype)
        outputs = []
        for from_input in linear(pixel_rows(maps), of_input, self.input_transform.bias):
            gates = torch.addmm(from_input, hidden, of_hidden.t())
            hidden, memory = update_memory(gates, memory, INPUT_FIRST, self.dropout)
            outputs.append(hidden)
        kept = pixel_maps(hidden, maps), pixel_maps(memory, maps)
        return pixel_maps(torch.stack(outputs), maps), kept


class Config(CellConfig):
    """Settings of a plain LSTM.

    Attributes:
        cell_input_dropout: Share of the memory's updates dropped in training.
    """

    kind: Literal["plain_lstm"] = "plain_lstm"
    cell_input_dropout: float = Field(default=0.0, ge=0, lt=1)

    @override
    def build(self, dim: int) -> PlainLSTM:
        return PlainLSTM(dim, self)
