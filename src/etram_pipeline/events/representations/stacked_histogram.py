"""Counts of events by polarity and by part of the window."""

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
    """Histograms of events, one per polarity and part of the window.

    The parts divide the time between the window's first and last event, not the window itself.

    Attributes:
        bins: Parts of the window.
        max_count: Largest count; None: 255.
        overflow: Behaviour above 255: `saturate` limits the count to `max_count`, `wrap` restarts
            it at 0 before `max_count` is applied, as in the published data, so that a pixel with
            256 events reads 0.

    Source: RVT, `data/utils/representations.py`, `StackedHistogram`; `wrap` is its `fastmode`.
    """

    kind: Literal["stacked_histogram"] = "stacked_histogram"
    bins: int = Field(default=10, ge=1, le=255)
    max_count: int | None = Field(default=10, ge=1, le=255)
    overflow: Literal["saturate", "wrap"] = "saturate"

    @property
    @override
    def channels(self) -> int:
        return 2 * self.bins

    @override
    def name(self, windows: WindowConfig) -> str:
        return f"stacked_histogram_{window_extent(windows)}_nbins={self.bins}{self.suffix}"

    @override
    def build(self, height: int, width: int) -> Representation:
        return StackedHistogram(self, height, width)


class StackedHistogram(Representation):
    """Counts of events; channel `p * bins + b` holds polarity `p` in part `b`, oldest first."""

    def __init__(self, config: Config, height: int, width: int) -> None:
        self.channels = config.channels
        self.height, self.width = config.image_size(height, width)
        self.dtype = np.uint8
        self._bins = config.bins
        self._max_count = config.max_count or 255
        self._is_wrapping = config.overflow == "wrap"
        self._grid = config.grid(height, width)

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        # Numba takes a second to import, which reading settings must not require.
        from etram_pipeline.events import kernels

        buffer.blank()
        cells = buffer.cells(len(events))
        num = kernels.add_counts(
            (events.x, events.y, events.polarity),
            kernels.linear_edges(events.t_us, self._bins),
            self._grid,
            256 if self._is_wrapping else self._max_count,
            buffer.image.reshape(2, self._bins, self.height, self.width),
            cells,
        )
        buffer.touch(num)
        if self._is_wrapping:
            kernels.limit(buffer.image.reshape(-1), cells[:num], self._max_count)
