"""Reading the settings of a detector off the tensors of an RVT checkpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import conv_lstm
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.heads import yolox
from etram_pipeline.models.necks import pafpn

Weights = Mapping[str, Tensor]

_STAGE = "backbone.stages.{}"
_FIRST_BLOCK = "backbone.stages.0.att_blocks.0.att_window"


@dataclass(frozen=True)
class Architecture:
    """What the tensors of a checkpoint say about the detector they belong to.

    Attributes:
        config: Settings of the detector; attention heads of 32 channels where the widths allow,
            else 24 as in RVT-Small, and two windows along each side, are assumed.
        in_channels: Channels of the representation.
        num_classes: Classes the detector distinguishes.
    """

    config: rvt.Config
    in_channels: int
    num_classes: int

    @property
    def summary(self) -> str:
        """The architecture in one line, with what was assumed."""
        backbone, cell, neck = self.config.backbone, self.config.cell, self.config.neck
        return (
            f"{self.in_channels} input channels, {self.num_classes} classes, {backbone}, {cell}, "
            f"{neck}; assumed: dim_head and partition_split, which weights do not show"
        )


def infer_architecture(weights: Weights) -> Architecture:
    """Architecture of the detector whose weights carry RVT's names, without prefix.

    Raises:
        CheckpointError: If a weight that tells the architecture is missing or makes no sense.
    """
    try:
        return Architecture(
            config=rvt.Config(
                backbone=_infer_backbone(weights),
                cell=_infer_cell(weights),
                neck=pafpn.Config(num_bottlenecks=_count(weights, r"fpn\.C3_p4\.m\.(\d+)\.")),
                head=yolox.Config(
                    hidden_channels=weights["yolox_head.stems.0.conv.weight"].shape[0],
                    num_convolutions=_count(weights, r"yolox_head\.cls_convs\.0\.(\d+)\."),
                ),
            ),
            in_channels=weights["backbone.stages.0.downsample_cf2cl.conv.weight"].shape[1],
            num_classes=weights["yolox_head.cls_preds.0.weight"].shape[0],
        )
    except KeyError as error:
        raise CheckpointError(
            f"the checkpoint has RVT's parts but lacks the weight {error}, "
            "without which its architecture cannot be told"
        ) from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(f"the weights describe no detector known here: {error}") from error


def _infer_backbone(weights: Weights) -> maxvit.Config:
    num_stages = max(_count(weights, r"backbone\.stages\.(\d+)\."), 1)
    convolutions = [
        weights[f"{_STAGE.format(stage)}.downsample_cf2cl.conv.weight"]
        for stage in range(num_stages)
    ]
    embed_dim = convolutions[0].shape[0]
    return maxvit.Config(
        embed_dim=embed_dim,
        dim_multipliers=tuple(weight.shape[0] // embed_dim for weight in convolutions),
        num_blocks=tuple(
            _count(weights, rf"backbone\.stages\.{stage}\.att_blocks\.(\d+)\.")
            for stage in range(num_stages)
        ),
        patch_size=(convolutions[0].shape[-1] + 1) // 2,
        attention=_infer_attention(weights, embed_dim),
    )


def _infer_attention(weights: Weights, embed_dim: int) -> AttentionSettings:
    default = AttentionSettings()
    hidden = weights[f"{_FIRST_BLOCK}.mlp.net.0.0.weight"].shape[0]
    is_scaled = f"{_FIRST_BLOCK}.ls1.gamma" in weights
    return AttentionSettings(
        dim_head=24 if embed_dim % 48 == 0 else gcd(embed_dim, default.dim_head),
        mlp_ratio=hidden / embed_dim,
        layer_scale=default.layer_scale if is_scaled else 0,
        bias=f"{_FIRST_BLOCK}.self_attn.qkv.bias" in weights,
    )


def _infer_cell(weights: Weights) -> conv_lstm.Config:
    gates = weights["backbone.stages.0.lstm.conv1x1.weight"]
    mixing = weights.get("backbone.stages.0.lstm.conv3x3_dws.weight")
    if mixing is None:
        return conv_lstm.Config()
    mixes_input = mixing.shape[0] == gates.shape[1]
    return conv_lstm.Config(
        depthwise="input_and_hidden" if mixes_input else "hidden", kernel_size=mixing.shape[-1]
    )


def _count(weights: Weights, pattern: str) -> int:
    """Numbers that appear in the names of weights, from 0 on."""
    found = {int(match[1]) for name in weights if (match := re.match(pattern, name))}
    return len(found)
