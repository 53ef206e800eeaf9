"""What clips are read from: the representations of a recording's windows.

Stores hand out handles that read files; code without a store keeps arrays in memory.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64, Shaped

from etram_pipeline.events.settings import EncodingSettings


@runtime_checkable
class WindowRepresentations(Protocol):
    """Representations of one recording's windows, as stores and arrays in memory provide them."""

    @property
    def num_windows(self) -> int:
        """Windows in the recording."""

    @property
    def channels(self) -> int:
        """Channels of each representation."""

    @property
    def height(self) -> int:
        """Rows of each representation."""

    @property
    def width(self) -> int:
        """Columns of each representation."""

    @property
    def downsampled_by(self) -> int:
        """Sensor pixels per pixel of a representation, along each axis."""

    @property
    def stop_us(self) -> Int64[np.ndarray, " W"]:
        """End of each window, in microseconds."""

    @property
    def frame_windows(self) -> Int64[np.ndarray, " F"]:
        """Window that ends at each labelled frame."""

    @property
    def encoding(self) -> EncodingSettings | None:
        """Settings that the representations were made with; None if not known."""

    def read(self, start: int, stop: int) -> Shaped[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`."""


@dataclass(frozen=True)
class RepresentationsInMemory:
    """Representations in memory, without a store; see `WindowRepresentations`."""

    images: Shaped[np.ndarray, "N C H W"]
    stop_us: Int64[np.ndarray, " N"]
    frame_windows: Int64[np.ndarray, " F"]
    downsampled_by: int = 1
    encoding: EncodingSettings | None = None

    @property
    def num_windows(self) -> int:
        """Windows in the recording."""
        return len(self.images)

    @property
    def channels(self) -> int:
        """Channels of each representation."""
        return int(self.images.shape[1])

    @property
    def height(self) -> int:
        """Rows of each representation."""
        return int(self.images.shape[2])

    @property
    def width(self) -> int:
        """Columns of each representation."""
        return int(self.images.shape[3])

    def read(self, start: int, stop: int) -> Shaped[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`."""
        return self.images[start:stop]
