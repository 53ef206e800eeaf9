"""YOLOX's path aggregation network: features flow down to the finest map and up again."""

from functools import partial
from itertools import pairwise
from typing import Literal

import torch
from jaxtyping import Float, Shaped
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import interpolate
from typing_extensions import override

from etram_pipeline.models.convolution import (
    ConvolutionBlock,
    Normalisation,
    convolution_blocks,
)
from etram_pipeline.models.necks import FeatureMaps, Neck, NeckConfig

MakeBlock = partial[ConvolutionBlock]


class CrossStagePartial(nn.Module):
    """Bottlenecks over half of the channels; the other half bypasses them.

    Source: Wang et al., "CSPNet", CVPRW 2020; as in Megvii-BaseDetection/YOLOX.
    """

    def __init__(
        self, in_channels: int, out_channels: int, num_bottlenecks: int, make_block: MakeBlock
    ) -> None:
        super().__init__()
        hidden = out_channels // 2
        self.main = make_block(in_channels, hidden, 1)
        self.bypass = make_block(in_channels, hidden, 1)
        self.fuse = make_block(2 * hidden, out_channels, 1)
        self.bottlenecks = nn.Sequential(
            *(
                nn.Sequential(make_block(hidden, hidden, 1), make_block(hidden, hidden, 3))
                for _ in range(num_bottlenecks)
            )
        )

    def forward(self, maps: Float[Tensor, "K C H W"]) -> Float[Tensor, "K D H W"]:
        """Transform feature maps."""
        halves = self.bottlenecks(self.main(maps)), self.bypass(maps)
        fused: Tensor = self.fuse(torch.cat(halves, dim=1))
        return fused


class TopDownStep(nn.Module):
    """Merges a coarse map into the next finer one."""

    def __init__(self, coarse: int, fine: int, num_bottlenecks: int, make_block: MakeBlock) -> None:
        super().__init__()
        self.reduce = make_block(coarse, fine, 1)
        self.merge = CrossStagePartial(2 * fine, fine, num_bottlenecks, make_block)

    def forward(self, coarse: Tensor, fine: Tensor) -> tuple[Tensor, Tensor]:
        """The coarse map reduced to the channels of the fine one, and the merged fine map."""
        reduced = self.reduce(coarse)
        enlarged = interpolate(reduced, scale_factor=2, mode="nearest")
        return reduced, self.merge(torch.cat([enlarged, fine], dim=1))


class BottomUpStep(nn.Module):
    """Merges a fine map into the next coarser one."""

    def __init__(self, fine: int, coarse: int, num_bottlenecks: int, make_block: MakeBlock) -> None:
        super().__init__()
        self.shrink = make_block(fine, fine, 3, 2)
        self.merge = CrossStagePartial(2 * fine, coarse, num_bottlenecks, make_block)

    def forward(self, fine: Tensor, reduced: Tensor) -> Tensor:
        """The coarse map, merged from the fine one and the reduced coarse one."""
        merged: Tensor = self.merge(torch.cat([self.shrink(fine), reduced], dim=1))
        return merged


class PAFPN(Neck):
    """Top-down, then bottom-up merging of maps.

    Source: Liu et al., "Path Aggregation Network for Instance Segmentation", CVPR 2018; as in
    Megvii-BaseDetection/YOLOX yolox/models/yolo_pafpn.py.
    """

    def __init__(
        self, in_channels: tuple[int, ...], num_bottlenecks: int, normalisation: Normalisation
    ) -> None:
        super().__init__()
        self.channels = in_channels
        make_block = convolution_blocks(normalisation)
        self.top_down = nn.ModuleList(
            TopDownStep(coarse, fine, num_bottlenecks, make_block)
            for coarse, fine in pairwise(reversed(in_channels))
        )
        self.bottom_up = nn.ModuleList(
            BottomUpStep(fine, coarse, num_bottlenecks, make_block)
            for fine, coarse in pairwise(in_channels)
        )

    @override
    def forward(
        self, maps: FeatureMaps, frames: Shaped[Tensor, "K C H W"] | None = None
    ) -> FeatureMaps:
        merged, reduced = maps[-1], []
        for step, fine in zip(self.top_down, reversed(maps[:-1]), strict=True):
            coarse, merged = step(merged, fine)
            reduced.append(coarse)
        outputs = [merged]
        for step, coarse in zip(self.bottom_up, reversed(reduced), strict=True):
            outputs.append(step(outputs[-1], coarse))
        return tuple(outputs)


class Config(NeckConfig):
    """Settings of the neck; the defaults are those of RVT-Base.

    Attributes:
        num_bottlenecks: Number of bottlenecks at each merge; RVT-Tiny and -Small have one.
        normalisation: Batch normalisation of every convolution.
    """

    kind: Literal["pafpn"] = "pafpn"
    num_bottlenecks: int = Field(default=2, ge=0)
    normalisation: Normalisation = Normalisation()

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> PAFPN:
        return PAFPN(in_channels, self.num_bottlenecks, self.normalisation)
