"""Checkpoints that RVT and its eTraM fork can load."""

import logging
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.core.files import written_whole
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import conv_lstm, plain_lstm
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.models.convolution import Normalisation
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.heads import yolox
from etram_pipeline.models.necks import pafpn
from etram_pipeline.models.refinements import identity
from etram_pipeline.models.rvt_format.architecture import RVT_PATCH_SIZE
from etram_pipeline.models.rvt_format.checkpoint import to_rvt_state_dict
from etram_pipeline.models.rvt_format.lstm_layouts import PLAIN_LSTM, conv_lstm_from_plain
from etram_pipeline.models.rvt_format.names import LIGHTNING_PREFIX

logger = logging.getLogger(__name__)

NamingScheme = Literal["rvt", "fork"]

_LIGHTNING_VERSION = "1.8.6"
"""That RVT's README installs; Lightning asks a checkpoint for the version that wrote it."""

_NUM_STAGES, _NUM_CONVOLUTIONS = 4, 2
_SCALES = {"rvt": (3,), "fork": (3, 4)}
_SPLITS = (1, 2, 4)

_NUM_CLASSES = (2, 3)
"""Of Gen1 and 1 Mpx, to which uzh-rpg/RVT's config/modifier.py sets the head."""


def write_rvt_checkpoint(path: Path, checkpoint: Checkpoint, layout: NamingScheme = "rvt") -> str:
    """Write the detector of a checkpoint as a Lightning checkpoint of RVT.

    Nothing is lost that detects: `read_checkpoint` gives the same weights back, to the bit. The
    loss and an auxiliary task, which act in training alone, are left out.

    Args:
        path: File to write.
        checkpoint: What to convert.
        layout: `rvt`: of uzh-rpg/RVT, merging three maps, with a plain LSTM rewritten as RVT's
            cell; `fork`: of JeongbinOK/eTram-rvt, which also merges four maps and has plain LSTMs.

    Returns:
        The options with which RVT's `validation.py` builds this detector.

    Raises:
        CheckpointError: If the detector has parts that RVT lacks; names them.
    """
    config, detector = checkpoint.known_config(), checkpoint.detector
    if not isinstance(config, rvt.Config) or not isinstance(detector, rvt.RVT):
        raise CheckpointError(f"a detector of kind {config.kind} cannot be written for RVT")
    problems = _unknown_to_rvt(config, layout)
    if problems:
        raise CheckpointError(
            f"this detector cannot be written in the layout `{layout}`, which knows no "
            f"{'; no '.join(problems)}"
        )
    if config.input_size is not None:
        logger.warning("RVT does not resize: give it frames of %d x %d px", *config.input_size)
    _warn_of_classes(len(checkpoint.class_names), layout)
    weights = to_rvt_state_dict(detector)
    if layout == "rvt":
        weights = _with_rvt_cells(weights)
    with written_whole(path) as partial:
        torch.save(_lightning_content(weights), partial)
    return " ".join(_options(config, checkpoint) + _cell_options(config, layout))


def _warn_of_classes(num_classes: int, layout: NamingScheme) -> None:
    if layout == "rvt" and num_classes not in (0, *_NUM_CLASSES):
        logger.warning(
            "uzh-rpg/RVT sets the number of classes by the data set, whatever its options say: "
            "write %d into its config/modifier.py; its eTraM fork heeds the option",
            num_classes,
        )


def _lightning_content(weights: dict[str, Tensor]) -> dict[str, object]:
    """What Lightning looks for in a checkpoint."""
    return {
        "pytorch-lightning_version": _LIGHTNING_VERSION,
        "epoch": 0,
        "global_step": 0,
        "state_dict": {LIGHTNING_PREFIX + name: weight for name, weight in weights.items()},
    }


def _unknown_to_rvt(config: rvt.Config, layout: NamingScheme) -> list[str]:
    """What a detector has that RVT's code or its configuration cannot express."""
    scales = len(config.neck_stages)
    found = {
        f"backbone {config.backbone.kind}": not isinstance(config.backbone, maxvit.Config),
        f"cell {config.cell.kind}": not isinstance(
            config.cell, conv_lstm.Config | plain_lstm.Config
        ),
        f"refinement {config.refinement.kind}": not isinstance(config.refinement, identity.Config),
        f"neck {config.neck.kind}": not isinstance(config.neck, pafpn.Config),
        f"head {config.head.kind}": not isinstance(config.head, yolox.Config),
        f"neck over {scales} maps": scales not in _SCALES[layout],
    }
    problems = [part for part, is_unknown in found.items() if is_unknown]
    return problems or _settings_unknown_to_rvt(config)


def _settings_unknown_to_rvt(config: rvt.Config) -> list[str]:
    match config:
        case rvt.Config(
            backbone=maxvit.Config() as backbone,
            neck=pafpn.Config() as neck,
            head=yolox.Config() as head,
        ):
            usual_hidden = (None, backbone.channels[config.neck_stages[-1] - 1] // 4)
            found = {
                f"{len(backbone.channels)} stages": len(backbone.channels) != _NUM_STAGES,
                f"partition_split {backbone.partition_split} with patches of "
                f"{backbone.patch_size} px": _rvt_split(backbone) not in _SPLITS,
                "attention.norm_eps": backbone.attention.norm_eps != AttentionSettings().norm_eps,
                "neck.normalisation": neck.normalisation != Normalisation(),
                "head.normalisation": head.normalisation != Normalisation(),
                "head.hidden_channels": head.hidden_channels not in usual_hidden,
                "head.num_convolutions": head.num_convolutions != _NUM_CONVOLUTIONS,
            }
            return [setting for setting, is_unknown in found.items() if is_unknown]
    return []


def _rvt_split(backbone: maxvit.Config) -> float:
    """Windows along each side of a map of stride 32 px, as RVT counts them."""
    return backbone.partition_split * backbone.patch_size / RVT_PATCH_SIZE


def _options(config: rvt.Config, checkpoint: Checkpoint) -> list[str]:
    """Options of RVT's command line; a name with `+` is one that its configuration lacks."""
    num_classes = len(checkpoint.class_names)
    options: list[str] = [f"+model.head.num_classes={num_classes}"] if num_classes else []
    match config:
        case rvt.Config(backbone=maxvit.Config() as backbone, neck=pafpn.Config() as neck):
            attention = backbone.attention
            values = {
                "backbone.input_channels": checkpoint.in_channels,
                "backbone.embed_dim": backbone.embed_dim,
                "backbone.dim_multiplier": list(backbone.dim_multipliers),
                "backbone.num_blocks": list(backbone.num_blocks),
                "backbone.stem.patch_size": backbone.patch_size,
                "backbone.partition_split_32": round(_rvt_split(backbone)),
                "backbone.stage.attention.dim_head": attention.dim_head,
                "backbone.stage.attention.attention_bias": attention.bias,
                "backbone.stage.attention.mlp_ratio": attention.mlp_ratio,
                "backbone.stage.attention.ls_init_value": attention.layer_scale,
                "fpn.in_stages": list(config.neck_stages),
                "fpn.depth": round(neck.num_bottlenecks / 3, 2),
            }
            options += [
                f"model.{key}={str(value).replace(' ', '').lower()}"
                for key, value in values.items()
            ]
    return options


def _cell_options(config: rvt.Config, layout: NamingScheme) -> list[str]:
    match config.cell:
        case plain_lstm.Config() if layout == "fork":
            return ["+model.backbone.use_plain_lstm=true"]
        case conv_lstm.Config(depthwise="hidden" | "input_and_hidden" as mixed) as cell:
            values = {
                "dws_conv": True,
                "dws_conv_only_hidden": mixed == "hidden",
                "dws_conv_kernel_size": cell.kernel_size,
            }
            prefix = "model.backbone.stage.lstm."
            return [f"{prefix}{key}={str(value).lower()}" for key, value in values.items()]
    return []


def _with_rvt_cells(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """The weights with every plain LSTM rewritten as the cell of RVT that computes the same."""
    last = "input_transform.weight"
    prefixes = [name.removesuffix(last) for name in weights if name.endswith(last)]
    rewritten = dict(weights)
    for prefix in prefixes:
        plain = {name: rewritten.pop(prefix + name) for name in PLAIN_LSTM}
        for name, weight in conv_lstm_from_plain(plain).items():
            rewritten[prefix + name.replace("gates", "conv1x1")] = weight
    return rewritten
