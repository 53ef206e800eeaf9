"""RVT's LSTM with a light correction of its hidden map where events are sparse."""

from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig, conv_lstm
from etram_pipeline.models.detector import State
from etram_pipeline.models.recurrence import open_state, pixel_maps, pixel_rows


class EnhancedLSTM(Cell):
    """`conv_lstm` with a correction of its hidden map h, computed from h and a few more channels.

        corrected = h + sparse * attention * (F h + G relu(E h))
        sparse = sigmoid((density_threshold - sigmoid(D x)) / density_temperature)
        attention = sigmoid(S relu(A x + B h_before))

    The matrices act on single pixels. The corrected map is the output and the hidden map for the
    next window. This is the `LightweightEnhancedConvLSTM` of a fork, with these differences:

    - `sparse` is a soft gate for every pixel. In the fork, the mean density of the map is compared
      with the threshold: one decision per frame without a gradient, so the density is never learnt.
    - The first window is corrected like any other. In the fork it is not, so the first window of a
      clip is treated differently from the same window in a stream.
    - The fused map is added to h. In the fork it replaces h as far as the gates are open. It is
      near zero at first and so deletes a part of the memory.
    - E is followed by a ReLU. In the fork it is not, so F + G E is only one matrix.
    - The whole memory is in the state of each lane, as for `conv_lstm`.
    - It has `d * d + (4 * e + 1) * d + e` more weights than `conv_lstm` for d channels and e
      enhancing channels, slightly more than an eighth. The fork states a tenth.

    Source: JeongbinOK/eTram-rvt, rvt_eTram/models/layers/rnn.py.
    """

    num_memories: ClassVar[int] = 2

    def __init__(self, dim: int, config: "Config") -> None:
        super().__init__()
        self.dim = dim
        self.density_threshold = config.density_threshold
        self.density_temperature = config.density_temperature
        self.lstm = config.lstm.build(dim)
        few = max(4, int(dim * config.enhancement_ratio))
        self.density = nn.Linear(dim, 1, bias=False)
        self.attend_input = nn.Linear(dim, few, bias=False)
        self.attend_hidden = nn.Linear(dim, few, bias=False)
        self.score = nn.Linear(few, 1, bias=False)
        self.enhance = nn.Linear(dim, few, bias=False)
        self.fuse_hidden = nn.Linear(dim, dim, bias=False)
        self.fuse_enhanced = nn.Linear(few, dim, bias=False)
        small = (self.attend_input, self.attend_hidden, self.score, self.enhance)
        for layer in (*small, self.fuse_hidden, self.fuse_enhanced):
            nn.init.normal_(layer.weight, std=0.01)

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        weight = self.lstm.hidden_weight
        hidden, memory = open_state(state, maps, (self.dim, self.dim), weight.dtype)
        # Everything outside the recurrence is computed for all windows at once.
        rows = pixel_rows(maps)
        outputs = []
        for from_input, attending, sparse in zip(
            self.lstm.gates_from_input(maps),
            self.attend_input(rows),
            self._sparsity(rows),
            strict=True,
        ):
            attention = self.score((attending + self.attend_hidden(hidden)).relu()).sigmoid()
            hidden, memory = self.lstm.step(from_input, weight, (hidden, memory), maps)
            enhanced = self.enhance(hidden).relu()
            correction = self.fuse_hidden(hidden) + self.fuse_enhanced(enhanced)
            hidden = hidden + sparse * attention * correction
            outputs.append(hidden)
        kept = pixel_maps(hidden, maps), pixel_maps(memory, maps)
        return pixel_maps(torch.stack(outputs), maps), kept

    def _sparsity(self, rows: Float[Tensor, "T pixels D"]) -> Float[Tensor, "T pixels 1"]:
        density = self.density(rows).sigmoid()
        sparse: Tensor = (self.density_threshold - density) / self.density_temperature
        return sparse.sigmoid()


class Config(CellConfig):
    """Settings of an enhanced LSTM.

    Attributes:
        lstm: The LSTM that is enhanced.
        enhancement_ratio: Number of enhancing channels as a fraction of the map's; at least four
            channels.
        density_threshold: Learnt density, from 0 to 1, below which a pixel counts as sparse.
        density_temperature: Width of the transition at the threshold; a lower value gives a harder
            gate.
    """

    kind: Literal["enhanced_lstm"] = "enhanced_lstm"
    lstm: conv_lstm.Config = conv_lstm.Config()
    enhancement_ratio: PositiveFloat = 0.05
    density_threshold: float = Field(default=0.3, ge=0, le=1)
    density_temperature: PositiveFloat = 0.1

    @override
    def build(self, dim: int) -> EnhancedLSTM:
        return EnhancedLSTM(dim, self)
