"""Volume of ternary event images: polarities of last events."""

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
    """Whether brightness rose (1) or fell (-1) last in each pixel of each part; 0 without events.

    The parts divide the time between the window's first and last event, as in the stacked
    histogram. Of events at the same time, the last in the recording counts. With `downsample: sum`,
    a cell shows the last event of its 2 x 2 pixels.

    Attributes:
        bins: Parts of the window.

    Source: Silva et al., "A recurrent YOLOv8-based framework for event-based object detection",
    Frontiers in Neuroscience, 2025; ReYOLOv8, `formats_utils.py`, `vtei`.
    """

    kind: Literal["vtei"] = "vtei"
    bins: int = Field(default=5, ge=1, le=255)

    @property
    @override
    def channels(self) -> int:
        return self.bins

    @override
    def name(self, windows: WindowConfig) -> str:
        return f"vtei_{window_extent(windows)}_nbins={self.bins}{self.suffix}"

    @override
    def build(self, height: int, width: int) -> Representation:
        return TernaryVolume(self, height, width)

    @override
    def drawn(self, frame: Integer[np.ndarray, "C H W"]) -> Integer[np.ndarray, "_ H W"]:
        return np.stack([(frame < 0).sum(axis=0), (frame > 0).sum(axis=0)]).astype(np.uint16)


class TernaryVolume(Representation):
    """Signs of last events; one channel per part, oldest first."""

    def __init__(self, config: Config, height: int, width: int) -> None:
        self.channels = config.channels
        self.height, self.width = config.image_size(height, width)
        self.dtype = np.int8
        self._grid = config.grid(height, width)

    @override
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        # Numba takes a second to import, which reading settings must not require.
        from etram_pipeline.events import kernels, time_kernels

        buffer.blank()
        num = time_kernels.write_last_signs(
            (events.x, events.y, events.polarity),
            kernels.linear_edges(events.t_us, self.channels),
            self._grid,
            buffer.image,
            buffer.cells(len(events)),
        )
        buffer.touch(num)
