"""A state-space cell, which can adapt to another time between windows."""

import math
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor, nn
from torch.nn.functional import gelu, linear
from typing_extensions import override

from etram_pipeline.models.cells import Cell, CellConfig
from etram_pipeline.models.detector import State
from etram_pipeline.models.recurrence import open_state, pixel_maps, pixel_rows
from etram_pipeline.models.state_space import draw_log_steps, hippo_modes, hold_input, scan


class S5(Cell):
    """A linear system in continuous time at every pixel, and a gated layer after it.

        state' = rate * state + B norm(x),  y = gelu(C state + D norm(x)) + norm(x),
        output = W (a * gelu(g)) + norm(y)  with  (a, g) = V norm(y)

    `rate` has one complex number per mode, which also stands for its conjugate. The system is
    stepped exactly for an input that is constant during a window (zero-order hold), with a learnt
    step per mode. The state holds the real parts, then the imaginary parts. The system is always
    computed in single precision.

    Rates stay stable because the logarithm of their decay is learnt. Modes above `bandlimit` are
    excluded from the output in every pass, not only at initialisation. Unlike in the published
    code, the state of the previous clip is used.

    Source: Smith et al., "Simplified State Space Layers for Sequence Modeling", ICLR 2023; Zubic
    et al., "State Space Models for Event Cameras", CVPR 2024, section 3;
    uzh-rpg/ssms_event_cameras RVT/models/layers/s5.
    """

    num_memories: ClassVar[int] = 1
    knows_time: ClassVar[bool] = True

    def __init__(self, dim: int, config: "Config") -> None:
        super().__init__()
        num_modes = config.num_modes or max(1, dim // 2)
        self.bandlimit = config.bandlimit
        self.time_factor = 1.0
        frequency, vectors = hippo_modes(num_modes)
        of_input = torch.randn(2 * num_modes, dim, dtype=torch.float64) / math.sqrt(dim)
        to_output = torch.randn(dim, 2 * num_modes, dtype=torch.float64) / math.sqrt(2 * num_modes)
        entering, leaving = (
            vectors.mH @ of_input.to(vectors.dtype),
            to_output.to(vectors.dtype) @ vectors,
        )
        self.log_decay = nn.Parameter(torch.full((num_modes,), math.log(0.5)))
        self.frequency = nn.Parameter(frequency.float())
        self.log_step = nn.Parameter(
            draw_log_steps(num_modes, config.shortest_step, config.longest_step)
        )
        self.from_input = nn.Parameter(torch.cat([entering.real, entering.imag]).float())
        # A mode and its conjugate together give twice the real part.
        self.to_output = nn.Parameter(2 * torch.cat([leaving.real, -leaving.imag], dim=1).float())
        self.feedthrough = nn.Parameter(torch.rand(dim))
        self.norm, self.gate_norm = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.gate_input = nn.Linear(dim, 2 * dim, bias=False)
        self.gate_output = nn.Linear(dim, dim, bias=False)

    @override
    def rescale_time(self, factor: float) -> None:
        if not (math.isfinite(factor) and factor > 0):
            raise ValueError(
                f"the factor of the time between windows must be a positive number, not {factor}"
            )
        self.time_factor = factor

    @override
    def forward(
        self, maps: Float[Tensor, "T B D H W"], state: State
    ) -> tuple[Float[Tensor, "T B D H W"], State]:
        dtype = self.from_input.dtype
        (kept,) = open_state(state, maps, (len(self.from_input),), dtype)
        with torch.autocast(maps.device.type, enabled=False):
            inputs: Tensor = self.norm(pixel_rows(maps).to(dtype))
            found, kept = self._run_system(inputs, kept)
            normed: Tensor = self.gate_norm(gelu(found) + inputs)
        values, gates = self.gate_input(normed).chunk(2, dim=-1)
        outputs = self.gate_output(values * gelu(gates)) + normed
        return pixel_maps(outputs, maps), (pixel_maps(kept, maps),)

    def _run_system(
        self, inputs: Float[Tensor, "T pixels D"], state: Float[Tensor, "pixels S"]
    ) -> tuple[Float[Tensor, "T pixels D"], Float[Tensor, "pixels S"]]:
        step = self.log_step.exp() * self.time_factor
        kept, gain = hold_input((-self.log_decay.exp(), self.frequency), step)
        real, imag = self.from_input.chunk(2)
        gain_real, gain_imag = gain[0][:, None], gain[1][:, None]
        # The input is projected for all windows at once; only the scan is recurrent.
        entering = (
            linear(inputs, gain_real * real - gain_imag * imag),
            linear(inputs, gain_real * imag + gain_imag * real),
        )
        before = state.chunk(2, dim=-1)
        reals, imags = scan(kept, entering, (before[0], before[1]))
        of_real, of_imag = (self.to_output * self._band()).chunk(2, dim=1)
        outputs = linear(reals, of_real) + linear(imags, of_imag) + self.feedthrough * inputs
        return outputs, torch.cat([reals[-1], imags[-1]], dim=-1)

    def _band(self) -> Float[Tensor, " S"]:
        """1 for modes that the windows sample densely enough, 0 for the others."""
        if self.bandlimit is None:
            return torch.ones_like(self.to_output[0])
        # Denser windows than in training could admit modes whose output was never trained.
        step = self.log_step.exp() * max(self.time_factor, 1)
        turns_per_window = step * self.frequency.abs() / (2 * math.pi)
        is_shown = turns_per_window < self.bandlimit / 2
        return is_shown.repeat(2).to(self.to_output.dtype)


class Config(CellConfig):
    """Settings of a state-space cell.

    Attributes:
        num_modes: Complex numbers in the state of a pixel; None: half the channels, which makes
            the state as large as the map.
        shortest_step: Shortest time that a window stands for at the start of training, in the
            system's own unit.
        longest_step: Longest such time; the modes' steps lie in between, evenly on a log scale.
        bandlimit: Modes that turn faster than this fraction of the Nyquist limit (half a turn per
            window) are excluded; None: no limit. Changes results.
    """

    kind: Literal["s5"] = "s5"
    num_modes: PositiveInt | None = None
    shortest_step: PositiveFloat = 0.001
    longest_step: PositiveFloat = 0.1
    bandlimit: float | None = Field(default=0.5, gt=0, le=1)

    @model_validator(mode="after")
    def _check_steps(self) -> "Config":
        if self.shortest_step > self.longest_step:
            raise ValueError(
                f"shortest_step is {self.shortest_step}, more than longest_step, which is "
                f"{self.longest_step}"
            )
        return self

    @override
    def build(self, dim: int) -> S5:
        return S5(dim, self)
