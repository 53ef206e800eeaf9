"""Inferring the settings of a detector from the tensors of an RVT checkpoint."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import CellConfig, conv_lstm, plain_lstm
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.heads import yolox
from etram_pipeline.models.necks import pafpn

Weights = Mapping[str, Tensor]

RVT_PATCH_SIZE = 4
"""Of all published sizes of RVT, in px."""

_STAGE = "backbone.stages.{}"
_FIRST_BLOCK = "backbone.stages.0.att_blocks.0.att_window"
_SIZES = {(32, 1): "RVT-Tiny", (48, 1): "RVT-Small", (64, 2): "RVT-Base"}
_NUM_CLASSES_OF_GEN1 = 2


@dataclass(frozen=True)
class Architecture:
    """Settings of a detector, inferred from the tensors of its checkpoint.

    Attributes:
        backbone: Settings of its backbone.
        cell: Settings of its recurrent cell.
        neck: Settings of its neck.
        head: Settings of its head.
        neck_stages: Stages of the backbone that the neck merges.
        in_channels: Channels of the representation.
        num_classes: Classes the detector distinguishes.
        assumed: Settings that the tensors do not determine, with the assumed values.
    """

    backbone: maxvit.Config
    cell: CellConfig
    neck: pafpn.Config
    head: yolox.Config
    neck_stages: tuple[int, ...]
    in_channels: int
    num_classes: int
    assumed: tuple[str, ...]

    @property
    def config(self) -> rvt.Config:
        """Settings of the detector."""
        return rvt.Config(
            backbone=self.backbone,
            cell=self.cell,
            neck=self.neck,
            head=self.head,
            neck_stages=self.neck_stages,
        )

    @property
    def size(self) -> str:
        """RVT's name of a detector of this size, if it has one, and its channels."""
        sizes = self.backbone.dim_multipliers, self.backbone.num_blocks
        name = _SIZES.get((self.backbone.embed_dim, self.neck.num_bottlenecks))
        known = f"{name} with " if name and sizes == ((1, 2, 4, 8), (1, 1, 1, 1)) else ""
        return f"{known}{'-'.join(map(str, self.backbone.channels))} channels"

    @property
    def summary(self) -> str:
        """What was found and what was assumed, in one line."""
        cell = self.cell.model_dump(exclude_defaults=True)
        options = "".join(f" {name}={value}" for name, value in cell.items() if name != "kind")
        strides = (str(self.backbone.strides[stage - 1]) for stage in self.neck_stages)
        return (
            f"{self.size}, {self.in_channels} input channels, {self.num_classes} classes, "
            f"patches of {self.backbone.patch_size} px, cell {self.cell.kind}{options}, "
            f"{len(self.neck_stages)} scales of strides {' '.join(strides)} px, "
            f"{self.neck.num_bottlenecks} bottlenecks; assumed: {', '.join(self.assumed)}"
        )


def infer_architecture(weights: Weights, partition_split: int | None = None) -> Architecture:
    """Architecture of the detector whose weights carry RVT's names, without prefix.

    Attention heads are assumed to have 32 channels if the widths allow it, else 24 as in RVT-Small.

    Args:
        weights: Tensors by RVT's name.
        partition_split: Windows along each side of the coarsest map, which weights do not show;
            None: RVT's default.

    Raises:
        CheckpointError: If a weight that tells the architecture is missing or makes no sense.
    """
    try:
        num_classes = weights["yolox_head.cls_preds.0.weight"].shape[0]
        backbone = _infer_backbone(weights, partition_split, num_classes)
        num_stages = len(backbone.channels)
        num_scales = _count_scales(weights, num_stages, num_classes)
        return Architecture(
            backbone=backbone,
            cell=_infer_cell(weights),
            neck=pafpn.Config(num_bottlenecks=_count(weights, r"fpn\.C3_p4\.m\.(\d+)\.")),
            head=yolox.Config(
                hidden_channels=weights["yolox_head.stems.0.conv.weight"].shape[0],
                num_convolutions=_count(weights, r"yolox_head\.cls_convs\.0\.(\d+)\."),
            ),
            neck_stages=tuple(range(num_stages - num_scales + 1, num_stages + 1)),
            in_channels=weights["backbone.stages.0.downsample_cf2cl.conv.weight"].shape[1],
            num_classes=num_classes,
            assumed=_assumptions(backbone, num_classes, partition_split),
        )
    except KeyError as error:
        raise CheckpointError(
            f"the checkpoint has RVT's parts but lacks the weight {error}, "
            "without which its architecture cannot be told"
        ) from error
    except (ValueError, IndexError, ZeroDivisionError) as error:
        raise CheckpointError(f"the weights describe no detector known here: {error}") from error


def _count_scales(weights: Weights, num_stages: int, num_classes: int) -> int:
    num_scales = _count(weights, r"yolox_head\.stems\.(\d+)\.")
    if num_scales > num_stages or num_classes == 0:
        raise ValueError(f"{num_scales} scales of {num_stages} stages, {num_classes} classes")
    return num_scales


def _assumptions(
    backbone: maxvit.Config, num_classes: int, partition_split: int | None
) -> tuple[str, ...]:
    heads = f"dim_head {backbone.attention.dim_head}"
    if partition_split is not None:
        return (heads,)
    dataset = "Gen1" if num_classes == _NUM_CLASSES_OF_GEN1 else "1 Mpx and eTraM"
    return heads, f"partition_split {backbone.partition_split} as on {dataset}"


def _usual_split(num_classes: int, patch_size: int) -> int:
    """Windows along each side of the coarsest map in RVT's configuration.

    RVT counts them for a coarsest stride of 32 px, and their size in cells is the same on every
    map: with smaller patches the maps are larger, so that there are more windows.

    Source: uzh-rpg/RVT config/modifier.py; `partition_split_32` is 1 in
    config/experiment/gen1/default.yaml and else 2.
    """
    split_of_stride_32 = 1 if num_classes == _NUM_CLASSES_OF_GEN1 else 2
    return max(1, split_of_stride_32 * RVT_PATCH_SIZE // patch_size)


def _infer_backbone(
    weights: Weights, partition_split: int | None, num_classes: int
) -> maxvit.Config:
    num_stages = max(_count(weights, r"backbone\.stages\.(\d+)\."), 1)
    convolutions = [
        weights[f"{_STAGE.format(stage)}.downsample_cf2cl.conv.weight"]
        for stage in range(num_stages)
    ]
    embed_dim = convolutions[0].shape[0]
    patch_size = (convolutions[0].shape[-1] + 1) // 2
    return maxvit.Config(
        embed_dim=embed_dim,
        dim_multipliers=tuple(weight.shape[0] // embed_dim for weight in convolutions),
        num_blocks=tuple(
            _count(weights, rf"backbone\.stages\.{stage}\.att_blocks\.(\d+)\.")
            for stage in range(num_stages)
        ),
        patch_size=patch_size,
        partition_split=partition_split or _usual_split(num_classes, patch_size),
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


def _infer_cell(weights: Weights) -> CellConfig:
    if "backbone.stages.0.lstm.input_transform.weight" in weights:
        return plain_lstm.Config()
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
