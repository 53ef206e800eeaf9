"""Rises minus falls per pixel, over ever longer parts of the window."""

from typing import Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.representations import (
    Representation,
    RepresentationConfig,
    window_extent,
)
from etram_pipeline.events.windows import WindowConfig


class Config(RepresentationConfig):
    """Rises minus falls in each pixel, summed from the first event of the window.

    Part `b` ends at the fraction `2 ** (b + 1 - bins)` of the time between the first and the last
    event. The last channel sums all events, and each channel before it half the time of the next.

    Attributes:
        bins: Parts of the window.
        cutoff: Largest absolute value; None: the range of 8 bits.
        overflow: Behaviour beyond 8 bits: `saturate` limits the sum, `wrap` changes its sign before
            `cutoff` is applied, as in the reference.

    Source: RVT, `data/utils/representations.py`, `MixedDensityEventStack`.
    """

    kind: Literal["mixed_density"] = "mixed_density"
    bins: int = Field(default=10, ge=1, le=63)
    cutoff: int | None = Field(default=32, ge=0, le=127)
    overflow: Literal["saturate", "wrap"] = "saturate"

    @property
    @override
    def channels(self) -> int:
        return self.bins

    @override
    def name(self, windows: WindowConfig) -> str:
        cutoff = "" if self.cutoff is None else f"_cutoff={self.cutoff}"
        return f"mixeddensity_stack_{window_extent(windows)}_nbins={self.bins}{cutoff}{self.suffix}"

    @override
    def build(self, height: int, width: int) -> Representation:
        return MixedDensity(self, height, width)


class MixedDensity(Representation):
    """Sums of polarities; the last channel covers all events, the others earlier parts."""

    def __init__(self, config: Config, height: int, width: int) -> None:
        self.channels = config.channels
        self.height, self.width = config.image_size(height, width)
        self.dtype = np.int8
        self._config = config
        self._grid = config.grid(height, width)

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        # Numba takes a second to import, which reading settings must not require.
        from etram_pipeline.events import kernels

        if len(events) == 0:
            buffer.image.fill(0)
            return
        cutoff, wrap = self._config.cutoff, self._config.overflow == "wrap"
        kernels.add_balances(
            (events.x, events.y, events.polarity),
            kernels.halving_edges(events.t_us, self._config.bins),
            self._grid,
            np.zeros(self.height * self.width, np.int8 if wrap else np.int32),
            (-128, 127) if cutoff is None else (-cutoff, cutoff),
            buffer.image,
        )
