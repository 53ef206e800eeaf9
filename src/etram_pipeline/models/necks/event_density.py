"""Fusion by event density: maps are weighed by how many events their cells have."""

from typing import Literal

from jaxtyping import Shaped
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.event_density import event_density
from etram_pipeline.models.gates import Gate
from etram_pipeline.models.necks import FeatureMaps, Neck, OuterNeckConfig, needed_frames


class EventDensityFusion(Neck):
    """Weighs each cell of the maps that another neck merges; at first, it changes nothing.

    The factor of channel c in a cell with n events per px (`event_density`) is
    2 sigmoid(a_c n / (1 + n) + b_c), with a and b learnt for each map. They begin as 0, and all
    factors as 1.
    """

    reads_frames = True

    def __init__(self, inner: Neck, in_channels: tuple[int, ...], strides: tuple[int, ...]) -> None:
        super().__init__()
        self.inner, self.strides = inner, strides
        self.channels = inner.channels
        self.gates = nn.ModuleList(Gate(1, width) for width in in_channels)

    @override
    def forward(
        self, maps: FeatureMaps, frames: Shaped[Tensor, "K C H W"] | None = None
    ) -> FeatureMaps:
        read = needed_frames(frames)
        weighed = []
        for gate, each, stride in zip(self.gates, maps, self.strides, strict=True):
            density = event_density(read, stride)
            weighed.append(each * gate((density / (1 + density)).to(each.dtype)))
        merged: FeatureMaps = self.inner(tuple(weighed), read)
        return merged


class Config(OuterNeckConfig):
    """Settings of the neck."""

    kind: Literal["event_density"] = "event_density"

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> EventDensityFusion:
        inner = self.inner.build(in_channels, strides, frame_channels)
        return EventDensityFusion(inner, in_channels, strides)
