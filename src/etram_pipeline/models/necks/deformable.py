"""PAFPN with deformable convolutions: each place learns where to look around itself."""

from typing import Literal, cast

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from torchvision.ops import deform_conv2d
from typing_extensions import override

from etram_pipeline.models.convolution import ConvolutionBlock, Normalisation
from etram_pipeline.models.necks import NeckConfig, pafpn

NUM_SAMPLES = 9
"""Places that a 3x3 convolution reads."""


class DeformableConvolution(nn.Module):
    """A 3x3 convolution whose places are moved and weighed; at first, the convolution itself.

    Another convolution predicts for each place two offsets in cells and a factor between 0 and 2.
    It begins with zeros, so all offsets begin as 0 and all factors as 1.

    Source: Zhu et al., "Deformable ConvNets v2: More Deformable, Better Results", CVPR 2019,
    section 3.2, where factors lie between 0 and 1 and begin as 0.5.
    """

    def __init__(self, plain: nn.Conv2d) -> None:
        super().__init__()
        self.weight = plain.weight
        self.samples = nn.Conv2d(plain.in_channels, 3 * NUM_SAMPLES, 3, padding=1)
        for parameter in self.samples.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D H W"]:
        """Transform feature maps."""
        # torchvision has no kernel for half precision on CPUs.
        dtype = torch.promote_types(maps.dtype, torch.float32)
        offsets, logits = self.samples(maps).to(dtype).split([2 * NUM_SAMPLES, NUM_SAMPLES], dim=1)
        transformed: Tensor = deform_conv2d(
            maps.to(dtype), offsets, self.weight.to(dtype), padding=1, mask=2 * logits.sigmoid()
        )
        return transformed.to(maps.dtype)


class DeformablePAFPN(pafpn.PAFPN):
    """PAFPN whose bottlenecks convolve deformably.

    The weights have the names that they have in PAFPN, and those of offsets and factors are added.
    Convolutions that halve a map stay as they are, as do those of 1x1.
    """

    def __init__(
        self, in_channels: tuple[int, ...], num_bottlenecks: int, normalisation: Normalisation
    ) -> None:
        super().__init__(in_channels, num_bottlenecks, normalisation)
        for merge in self.modules():
            if isinstance(merge, pafpn.CrossStagePartial):
                for bottleneck in merge.bottlenecks:
                    block = cast(ConvolutionBlock, cast(nn.Sequential, bottleneck)[-1])
                    plain = cast(nn.Conv2d, block.convolution)
                    block.convolution = DeformableConvolution(plain)


class Config(NeckConfig):
    """Settings of the neck.

    Attributes:
        num_bottlenecks: Number of bottlenecks at each merge, each with a deformable convolution.
        normalisation: Batch normalisation of every convolution.
    """

    kind: Literal["deformable"] = "deformable"
    num_bottlenecks: int = Field(default=2, ge=1)
    normalisation: Normalisation = Normalisation()

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> DeformablePAFPN:
        return DeformablePAFPN(in_channels, self.num_bottlenecks, self.normalisation)

    @property
    @override
    def export_fault(self) -> str:
        return (
            "ONNX has the convolutions of the neck deformable only from opset 19 on, and files are "
            "exported with opset 18; set another `detector.neck`"
        )
