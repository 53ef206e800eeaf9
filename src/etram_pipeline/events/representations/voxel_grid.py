"""Voxel grid: polarities, each shared between the two nearest moments of the window."""

from typing import Literal

import numpy as np
from jaxtyping import Integer
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
    """Rises minus falls in each pixel around `bins` moments, interpolated linearly in time.

    With `s = (bins - 1) * (t - first t) / (last t - first t)`, an event adds its polarity (1 or -1)
    times `max(0, 1 - |b - s|)` to channel `b`. The first moment is that of the window's first
    event, the last moment that of its last event.

    Sums are exact. They are stored in steps of `1 / steps_per_event`: rounded to the nearest step,
    halves away from zero, and limited to 127 steps. The source keeps fractions.

    Attributes:
        bins: Moments of the window.
        steps_per_event: Stored value of one event at one of the moments. With the default 8, sums
            of up to 15.9 events are told apart.

    Source: Zhu et al., "Unsupervised event-based learning of optical flow, depth, and egomotion",
    CVPR 2019, eq. 1-2.
    """

    kind: Literal["voxel_grid"] = "voxel_grid"
    bins: int = Field(default=10, ge=1, le=255)
    steps_per_event: int = Field(default=8, ge=1, le=127)

    @property
    @override
    def channels(self) -> int:
        return self.bins

    @override
    def name(self, windows: WindowConfig) -> str:
        parts = f"nbins={self.bins}_steps={self.steps_per_event}"
        return f"voxel_grid_{window_extent(windows)}_{parts}{self.suffix}"

    @override
    def build(self, height: int, width: int) -> Representation:
        return VoxelGrid(self, height, width)

    @override
    def drawn(self, frame: Integer[np.ndarray, "C H W"]) -> Integer[np.ndarray, "_ H W"]:
        steps = np.stack([-frame.clip(max=0).sum(axis=0), frame.clip(min=0).sum(axis=0)])
        return -(-steps // self.steps_per_event).astype(np.uint16)


class VoxelGrid(Representation):
    """Sums of polarities in steps; one channel per moment, oldest first."""

    def __init__(self, config: Config, height: int, width: int) -> None:
        self.channels = config.channels
        self.height, self.width = config.image_size(height, width)
        self.dtype = np.int8
        self._steps_per_event = config.steps_per_event
        self._grid = config.grid(height, width)

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        # Numba takes a second to import, which reading settings must not require.
        from etram_pipeline.events import time_kernels

        buffer.blank()
        if len(events) == 0:
            return
        num = time_kernels.add_shares(
            (events.x, events.y, events.polarity),
            events.t_us,
            self._grid,
            self._steps_per_event,
            buffer.image,
            buffer.cells(3 * len(events)),
        )
        buffer.touch(num)
