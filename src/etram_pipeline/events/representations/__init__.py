"""Dense tensors made from the events of one window; one module per representation."""

from abc import ABC, abstractmethod
from typing import ClassVar, Literal

import numpy as np
import numpy.typing as npt
from jaxtyping import Integer

from etram_pipeline.core.component import Component
from etram_pipeline.core.recording import Events
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.windows import WindowConfig

Downsampling = Literal["nearest", "sum"]


class Representation(ABC):
    """Encodes the events of a window as an image.

    Attributes:
        channels: Channels of the image.
        height: Rows of the image, after any downsampling.
        width: Columns of the image, after any downsampling.
        dtype: Type of its values.
    """

    channels: int
    height: int
    width: int
    dtype: npt.DTypeLike

    def __call__(self, events: Events) -> Integer[np.ndarray, "C H W"]:
        """Encode exactly these events; without events, the image is all zeros."""
        buffer = self.buffer()
        self.draw(events, buffer)
        return buffer.image

    def buffer(self) -> ImageBuffer:
        """A new buffer to draw on."""
        return ImageBuffer(np.zeros((self.channels, self.height, self.width), self.dtype))

    @abstractmethod
    def draw(self, events: Events, buffer: ImageBuffer) -> None:
        """Draw exactly these events on `buffer`, replacing its former content."""


class RepresentationConfig(Component):
    """Chooses a representation.

    Attributes:
        downsample: How height and width are halved. `nearest` keeps only odd rows and columns, as
            in the reference, and thus a quarter of all events; `sum` keeps all events. None keeps
            the size.
    """

    package: ClassVar[str] = __name__

    downsample: Downsampling | None = "nearest"

    @property
    @abstractmethod
    def channels(self) -> int:
        """Channels of the image."""

    @abstractmethod
    def name(self, windows: WindowConfig) -> str:
        """Folder of the representation in RVT's layout: `stacked_histogram_dt=50_nbins=10`."""

    @abstractmethod
    def build(self, height: int, width: int) -> Representation:
        """Make the representation for a sensor of `height` x `width` px."""

    def drawn(self, frame: Integer[np.ndarray, "C H W"]) -> Integer[np.ndarray, "_ H W"]:
        """What pictures show of an image, in channels as `count_polarities` expects them."""
        return frame

    @property
    def downsampled_by(self) -> int:
        """Sensor px per px of the image, along each axis."""
        return 1 if self.downsample is None else 2

    def image_size(self, height: int, width: int) -> tuple[int, int]:
        """Height and width of the image of a sensor of `height` x `width` px."""
        return height // self.downsampled_by, width // self.downsampled_by

    def grid(self, height: int, width: int) -> tuple[int, int, int, int]:
        """Mapping of a sensor of `height` x `width` px to the image, as `kernels` expects it."""
        factor = self.downsampled_by
        is_every_pixel = self.downsample != "nearest"
        # With an odd number of rows or columns, the last one has no partner and is dropped.
        return height // factor * factor, width // factor * factor, factor - 1, int(is_every_pixel)

    @property
    def suffix(self) -> str:
        """End of the folder name, for settings that RVT does not have."""
        return "_sum" if self.downsample == "sum" else ""


def window_extent(windows: WindowConfig) -> str:
    """Extent of windows as in RVT's folder names: `dt=50` ms or `ne=20000` events."""
    if windows.duration_ms is not None:
        return f"dt={windows.duration_ms}"
    return f"ne={windows.num_events}"
