"""Necks, which merge the maps of a backbone's stages; one module per neck."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Float, Shaped
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.component import Component

FeatureMaps = tuple[Float[Tensor, "K _ _ _"], ...]
"""Maps of the same images at several strides, finest first, each half as large as the last."""


class Neck(nn.Module, ABC):
    """Merges maps of several strides.

    Attributes:
        channels: Channels of each map it returns, finest first.
        reads_frames: Whether it reads the frames that the maps were made of. If not, detectors do
            not even select them.
    """

    channels: tuple[int, ...]
    reads_frames: bool = False

    @abstractmethod
    def forward(
        self, maps: FeatureMaps, frames: Shaped[Tensor, "K C H W"] | None = None
    ) -> FeatureMaps:
        """Merged maps of the same sizes.

        Args:
            maps: Maps of the images, finest first.
            frames: Representations of the same images, of any number type, resized and padded as
                the backbone read them, so that a map of stride s has H / s x W / s cells, but not
                divided by the `count_scale` of a detector. None unless the neck `reads_frames`.
        """


def needed_frames(frames: Tensor | None) -> Tensor:
    """The frames that a neck was called with.

    Raises:
        ValueError: If there are none.
    """
    if frames is None:
        raise ValueError("this neck reads the frames, but was called with maps alone: pass both")
    return frames


class NeckConfig(Component):
    """Chooses a neck."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> Neck:
        """Make the neck.

        Args:
            in_channels: Channels of each map, finest first.
            strides: Side in px of each map's cells.
            frame_channels: Channels of the representation.
        """

    @property
    def export_fault(self) -> str:
        """Why a detector with this neck cannot be exported to ONNX; empty if it can."""
        return ""


class OuterNeckConfig(NeckConfig):
    """Settings of a neck around another one.

    Attributes:
        inner: The neck that merges the maps.
    """

    inner: NeckConfig = Field(default_factory=lambda: NeckConfig.model_validate({"kind": "pafpn"}))

    @property
    @override
    def export_fault(self) -> str:
        return self.inner.export_fault
