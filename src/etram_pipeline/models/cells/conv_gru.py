"""A convolutional GRU: one memory, which is also the output."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig, KernelSize
from etram_pipeline.models.detector import State


class ConvGRU(Cell):
    """GRU whose gates are convolutions, in the order reset, update, proposal.

    The reset gate is applied after the convolution of the hidden map, as `torch.nn.GRU` does it,
    not before, as the first GRU did: so one convolution of the hidden map serves all gates.

        r, u = sigmoid(W x + U h + b),  n = tanh(W x + b + r (U h + c)),  h' = (1 - u) n + u h

    Source: Ballas et al., "Delving Deeper into Convolutional Networks for Learning Video
    Representations", ICLR 2016, section 3.1; for the place of the reset gate, the documentation
    of `torch.nn.GRU`.
    """

    num_memories: ClassVar[int] = 1

    def __init__(self, dim: int, config: "Config") -> None:
        super().__init__()
        size, padding = config.kernel_size, config.kernel_size // 2
        self.input_gates = nn.Conv2d(dim, 3 * dim, size, padding=padding)
        self.hidden_gates = nn.Conv2d(dim, 3 * dim, size, padding=padding)

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        # The input's share does not wait for the recurrence, so all windows go through at once.
        of_input = self.input_gates(maps.flatten(0, 1)).unflatten(0, maps.shape[:2])
        (hidden,) = state or (torch.zeros_like(maps[0], dtype=self.hidden_gates.weight.dtype),)
        dim = hidden.shape[1]
        outputs = []
        for from_input in of_input:
            to_gates, to_proposal = from_input.split([2 * dim, dim], dim=1)
            also_to_gates, recalled = self.hidden_gates(hidden).split([2 * dim, dim], dim=1)
            reset, update = (to_gates + also_to_gates).sigmoid().chunk(2, dim=1)
            proposal = torch.addcmul(to_proposal, reset, recalled).tanh()
            hidden = proposal + update * (hidden - proposal)
            outputs.append(hidden.movedim(1, -1))
        return torch.stack(outputs).movedim(-1, 2), (hidden,)


class Config(CellConfig):
    """Settings of a convolutional GRU.

    Attributes:
        kernel_size: Side of the convolutions' kernels, odd; 1 lets pixels not see each other in
            the recurrence, as in RVT's LSTM.
    """

    kind: Literal["conv_gru"] = "conv_gru"
    kernel_size: KernelSize = 1

    @override
    def build(self, dim: int) -> ConvGRU:
        return ConvGRU(dim, self)
