"""Time surface: how recent the last event of each polarity is in each pixel."""

import math
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

_LARGEST = 255


class Config(RepresentationConfig):
    """Exponential time surface: `exp(-age / tau_ms)` of the last event per pixel and polarity.

    Age is the time from an event until the last event of the window. The value is stored as the
    whole number nearest to 255 times it; 0 without events, or if the last one is older than
    `tau_ms * ln(510)`, 6.2 times `tau_ms`. Windows are encoded independently of each other, so
    events before the window have no effect, unlike in the source. With `downsample: sum`, a cell
    shows the last event of its 2 x 2 pixels.

    Attributes:
        tau_ms: Time in which the value falls to 37 %, in milliseconds.

    Source: Lagorce et al., "HOTS: a hierarchy of event-based time-surfaces for pattern
    recognition", TPAMI 2017; Sironi et al., "HATS: histograms of averaged time surfaces for robust
    event-based object classification", CVPR 2018, section 3.
    """

    kind: Literal["time_surface"] = "time_surface"
    tau_ms: float = Field(default=20.0, gt=0, le=1e6)

    @property
    @override
    def channels(self) -> int:
        return 2

    @override
    def name(self, windows: WindowConfig) -> str:
        return f"time_surface_{window_extent(windows)}_tau={self.tau_ms:g}{self.suffix}"

    @override
    def build(self, height: int, width: int) -> Representation:
        return TimeSurface(self, height, width)


class TimeSurface(Representation):
    """Recency of last events from 0 to 255; falling brightness first, then rising."""

    def __init__(self, config: Config, height: int, width: int) -> None:
        self.channels = config.channels
        self.height, self.width = config.image_size(height, width)
        self.dtype = np.uint8
        self._grid = config.grid(height, width)
        tau_us = 1000 * config.tau_ms
        # Greatest age at which a value is 1, 2, ... 255.
        self._ages_us = np.array(
            [
                math.floor(-tau_us * math.log((value - 0.5) / _LARGEST))
                for value in range(1, _LARGEST + 1)
            ]
        )

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        # Numba takes a second to import, which reading settings must not require.
        from etram_pipeline.events import time_kernels

        buffer.blank()
        if len(events) == 0:
            return
        # Events are in order of time, so those of one value are neighbours.
        edges = np.searchsorted(events.t_us, events.t_us[-1] - self._ages_us)
        num = time_kernels.write_levels(
            (events.x, events.y, events.polarity),
            np.append(edges, len(events)),
            self._grid,
            buffer.image,
            buffer.cells(len(events)),
        )
        buffer.touch(num)
