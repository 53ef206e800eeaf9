"""Faster R-CNN of torchvision with a ResNet, for any number of channels and in any width."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torchvision import models
from torchvision.models.detection import FasterRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool
from typing_extensions import override

_STAGES = 4
NUM_LEVELS = _STAGES + 1
"""Maps of the feature pyramid: one per stage of the ResNet, and one that is coarser."""

POOLED = 7
"""Height and width of the features that are cut out for each proposal."""


@dataclass(frozen=True)
class RCNNSizes:
    """Sizes of a network.

    Attributes:
        in_channels: Channels of the frames.
        num_classes: Classes, with the background.
        fpn_channels: Channels of each map of the feature pyramid.
        head_dim: Features of each proposal.
        anchor_sizes: Square roots of the areas of anchors in px, for each map.
        aspect_ratios: Heights of anchors divided by their widths.
        proposals: Proposals of each frame in detection, and half of those in training.
        sampled_proposals: Proposals of each frame that the second stage learns from.
    """

    in_channels: int
    num_classes: int
    fpn_channels: int
    head_dim: int
    anchor_sizes: tuple[tuple[float, ...], ...]
    aspect_ratios: tuple[float, ...]
    proposals: int
    sampled_proposals: int


def build_rcnn(backbone: str, sizes: RCNNSizes, *, frozen_norm: bool) -> Any:  # noqa: ANN401
    """The network of torchvision, which has no types, with random weights.

    Args:
        backbone: Name of a ResNet.
        sizes: Sizes of the other parts.
        frozen_norm: Whether batch normalisation keeps its statistics and factors.
    """
    anchors = AnchorGenerator(sizes.anchor_sizes, (sizes.aspect_ratios,) * len(sizes.anchor_sizes))
    limits = {
        f"rpn_{when}_nms_top_n_{use}": factor * sizes.proposals
        for when in ("pre", "post")  # suppression; before it, for each map
        for use, factor in (("test", 1), ("train", 2))
    }
    per_place = len(sizes.anchor_sizes[0]) * len(sizes.aspect_ratios)
    return FasterRCNN(
        _backbone(backbone, sizes, frozen_norm=frozen_norm),
        rpn_anchor_generator=anchors,
        rpn_head=_PreciseRPNHead(sizes.fpn_channels, per_place),
        box_head=TwoMLPHead(sizes.fpn_channels * POOLED**2, sizes.head_dim),
        box_predictor=FastRCNNPredictor(sizes.head_dim, sizes.num_classes),
        box_batch_size_per_image=sizes.sampled_proposals,
        **limits,
    )


def _backbone(name: str, sizes: RCNNSizes, *, frozen_norm: bool) -> nn.Module:
    body = models.get_model(
        name, weights=None, norm_layer=FrozenBatchNorm2d if frozen_norm else nn.BatchNorm2d
    )
    stem = nn.Conv2d(sizes.in_channels, body.conv1.out_channels, 7, stride=2, padding=3, bias=False)
    nn.init.kaiming_normal_(stem.weight, mode="fan_out", nonlinearity="relu")
    body.conv1 = stem
    widths = [body.inplanes >> (_STAGES - 1 - stage) for stage in range(_STAGES)]
    stages = {f"layer{stage + 1}": str(stage) for stage in range(_STAGES)}
    network: nn.Module = BackboneWithFPN(
        body, stages, widths, sizes.fpn_channels, extra_blocks=LastLevelMaxPool()
    )
    return network


class _PreciseRPNHead(RPNHead):  # type: ignore[misc]  # untyped torchvision
    """The head of the first stage; what it predicts is in single precision or better.

    In bfloat16, offsets from anchors could not tell neighbouring pixels apart.
    """

    @override
    def forward(self, x: list[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        scores, offsets = super().forward(x)
        return [widened(level) for level in scores], [widened(level) for level in offsets]


def widened(tensor: Tensor) -> Tensor:
    """The same numbers in single precision or better."""
    return tensor.to(torch.promote_types(tensor.dtype, torch.float32))
