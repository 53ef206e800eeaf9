"""Dense tensors made from the events of one window; one module per representation."""

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from jaxtyping import Integer

from etram_pipeline.core.component import Component
from etram_pipeline.events.recording import Events
from etram_pipeline.events.windows import WindowConfig


class Representation(ABC):
    """Turns the events of a window into an image.

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

    @abstractmethod
    def __call__(self, events: Events) -> Integer[np.ndarray, "C H W"]:
        """Encode exactly these events; all zeros where there are none."""


class RepresentationConfig(Component):
    """Chooses a representation.

    Attributes:
        downsample: Halve height and width, keeping odd rows and columns as the reference does.
    """

    package: ClassVar[str] = __name__

    downsample: bool = True

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


def image_size(height: int, width: int, *, halve: bool) -> tuple[int, int]:
    """Height and width of a representation of a sensor of `height` x `width` px."""
    return (height // 2, width // 2) if halve else (height, width)


def window_extent(windows: WindowConfig) -> str:
    """What windows hold, as RVT's folder names say it: `dt=50` ms or `ne=20000` events."""
    if windows.duration_ms is not None:
        return f"dt={windows.duration_ms}"
    return f"ne={windows.num_events}"
