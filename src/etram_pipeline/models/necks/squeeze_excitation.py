"""Squeeze-and-excitation: channels of merged maps are weighed, on each map by itself."""

from typing import Literal

from jaxtyping import Shaped
from pydantic import PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.gates import ChannelAttention
from etram_pipeline.models.necks import FeatureMaps, Neck, OuterNeckConfig


class SqueezeExcitation(Neck):
    """Weighs the channels of what another neck returns; at first, it returns the same.

    Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018.
    """

    def __init__(self, inner: Neck, reduction: int) -> None:
        super().__init__()
        self.inner = inner
        self.channels, self.reads_frames = inner.channels, inner.reads_frames
        self.attention = nn.ModuleList(
            ChannelAttention(width, reduction) for width in inner.channels
        )

    @override
    def forward(
        self, maps: FeatureMaps, frames: Shaped[Tensor, "K C H W"] | None = None
    ) -> FeatureMaps:
        merged = self.inner(maps, frames)
        return tuple(
            attention(each) for attention, each in zip(self.attention, merged, strict=True)
        )


class Config(OuterNeckConfig):
    """Settings of the neck.

    Attributes:
        reduction: Channels of a map for each hidden channel that decides about them.
    """

    kind: Literal["squeeze_excitation"] = "squeeze_excitation"
    reduction: PositiveInt = 16

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> SqueezeExcitation:
        inner = self.inner.build(in_channels, strides, frame_channels)
        return SqueezeExcitation(inner, self.reduction)
