"""Attention that lets small objects stand out: where, since when, and in which channels."""

from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveInt
from torch import Tensor, nn
from torch.nn.functional import silu
from typing_extensions import override

from etram_pipeline.models.detector import State
from etram_pipeline.models.gates import ChannelAttention, FrameMaps, Gate
from etram_pipeline.models.refinements import ClipMaps, Refinement, RefinementConfig

FINE_STRIDE = 8
"""Stride in px up to which maps are fine: they show more of place than of meaning."""

FINE_REDUCTION, COARSE_REDUCTION = 16, 8
"""Channels of a map for each hidden channel that channel attention decides by."""


class SpatialAttention(nn.Module):
    """Weighs pixels by what lies around them, near and farther away."""

    def __init__(self, channels: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        hidden = max(channels // (4 * len(dilations)), 1)
        self.contexts = nn.ModuleList(
            nn.Conv2d(channels, hidden, 3, padding=dilation, dilation=dilation)
            for dilation in dilations
        )
        self.gate = Gate(hidden * len(dilations), 1)

    def forward(self, maps: FrameMaps) -> FrameMaps:
        """Weigh maps, each by itself."""
        contexts = torch.cat([context(maps) for context in self.contexts], dim=1)
        weighed: Tensor = maps * self.gate(silu(contexts))
        return weighed


class TemporalAttention(nn.Module):
    """Weighs pixels by what was there one window before."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = max(channels // 4, 1)
        self.comparison = nn.Conv2d(2 * channels, hidden, 1)
        self.gate = Gate(hidden, 1, kernel_size=3)

    def forward(self, maps: FrameMaps, previous: FrameMaps) -> FrameMaps:
        """Weigh maps by themselves and those of the windows before."""
        compared = self.comparison(torch.cat([maps, previous], dim=1))
        weighed: Tensor = maps * self.gate(silu(compared))
        return weighed


class SmallObjectAttention(Refinement):
    """Spatial, then temporal attention to the finest maps, then channel attention to all of them.

    What it remembers is the map of the last window, of each lane. Before it has learnt anything
    it changes nothing, so that a detector which is trained further starts from what it was.

    Source of the idea: JeongbinOK/eTram-rvt, experiments/3scale_sizeaware_attention_100k. There
    it follows the neck, and one window is remembered for all lanes and recordings.
    """

    def __init__(
        self, channels: tuple[int, ...], strides: tuple[int, ...], config: "Config"
    ) -> None:
        super().__init__()
        fine = channels[: config.num_scales]
        self.spatial = nn.ModuleList(
            SpatialAttention(width, config.dilations) for width in fine if config.spatial
        )
        self.temporal = nn.ModuleList(TemporalAttention(width) for width in fine if config.temporal)
        self.channel = nn.ModuleList(
            ChannelAttention(width, FINE_REDUCTION if stride <= FINE_STRIDE else COARSE_REDUCTION)
            for width, stride in zip(channels, strides, strict=True)
            if config.channel
        )
        self.num_memories = len(self.temporal)

    @override
    def forward(self, maps: ClipMaps, state: State) -> tuple[ClipMaps, State]:
        refined = list(maps)
        for scale, attention in enumerate(self.spatial):
            refined[scale] = _each(attention, refined[scale])
        # Copies, as views would keep the maps of the whole clip until the next one.
        memories = tuple(clip[-1].clone() for clip in refined[: self.num_memories])
        for scale, attention in enumerate(self.temporal):
            clip = refined[scale]
            before = state[scale] if state else torch.zeros_like(clip[0])
            previous = torch.cat([before[None].to(clip.dtype), clip[:-1]])
            refined[scale] = _each(attention, clip, previous)
        for scale, attention in enumerate(self.channel):
            refined[scale] = _each(attention, refined[scale])
        return tuple(refined), memories


def _each(attention: nn.Module, *clips: Float[Tensor, "T B C H W"]) -> Float[Tensor, "T B C H W"]:
    """What attention makes of every window."""
    refined: Tensor = attention(*(clip.flatten(0, 1) for clip in clips))
    in_time: Tensor = refined.unflatten(0, clips[0].shape[:2])
    return in_time


class Config(RefinementConfig):
    """Settings of the attention; it changes predictions as soon as it has learnt.

    Attributes:
        spatial: Whether pixels are weighed by what surrounds them.
        temporal: Whether pixels are weighed by what was there one window before.
        channel: Whether channels are weighed, on every map.
        dilations: Distances in pixels of the map at which the surroundings are looked at.
        num_scales: FrameMaps with spatial and temporal attention, the finest ones; all if fewer.
    """

    kind: Literal["small_object_attention"] = "small_object_attention"
    spatial: bool = True
    temporal: bool = True
    channel: bool = True
    dilations: tuple[PositiveInt, ...] = Field(default=(1, 2, 4), min_length=1)
    num_scales: PositiveInt = 2

    @override
    def build(self, channels: tuple[int, ...], strides: tuple[int, ...]) -> SmallObjectAttention:
        return SmallObjectAttention(channels, strides, self)
