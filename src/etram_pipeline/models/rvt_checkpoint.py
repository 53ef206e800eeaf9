"""Weights of RVT and its eTraM fork, in their names and in ours.

Both implementations have the same tensors in the same shapes, so renaming is all it takes, in
either direction. What tensors do not show is assumed, and logged.

Source of the names: uzh-rpg/RVT b80f568 and eventbasedvision/eTraM 8930488, models/.
"""

import logging
import re
from collections.abc import Mapping

from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_architecture import infer_architecture

logger = logging.getLogger(__name__)

LIGHTNING_PREFIX = "mdl."
"""What RVT's Lightning module puts before the name of every weight of the detector."""

_RENAMINGS = (
    (r"^neck\.top_down\.0\.reduce", "fpn.lateral_conv0"),
    (r"^neck\.top_down\.0\.merge", "fpn.C3_p4"),
    (r"^neck\.top_down\.1\.reduce", "fpn.reduce_conv1"),
    (r"^neck\.top_down\.1\.merge", "fpn.C3_p3"),
    (r"^neck\.bottom_up\.0\.shrink", "fpn.bu_conv2"),
    (r"^neck\.bottom_up\.0\.merge", "fpn.C3_n3"),
    (r"^neck\.bottom_up\.1\.shrink", "fpn.bu_conv1"),
    (r"^neck\.bottom_up\.1\.merge", "fpn.C3_n4"),
    (r"^(fpn\.C3_p.|fpn\.C3_n.)\.main\.", r"\1.conv1."),
    (r"^(fpn\.C3_p.|fpn\.C3_n.)\.bypass\.", r"\1.conv2."),
    (r"^(fpn\.C3_p.|fpn\.C3_n.)\.fuse\.", r"\1.conv3."),
    (r"\.bottlenecks\.(\d+)\.0\.", r".m.\1.conv1."),
    (r"\.bottlenecks\.(\d+)\.1\.", r".m.\1.conv2."),
    (r"^head\.levels\.(\d+)\.stem\.", r"yolox_head.stems.\1."),
    (r"^head\.levels\.(\d+)\.class_branch\.", r"yolox_head.cls_convs.\1."),
    (r"^head\.levels\.(\d+)\.box_branch\.", r"yolox_head.reg_convs.\1."),
    (r"^head\.levels\.(\d+)\.class_output\.", r"yolox_head.cls_preds.\1."),
    (r"^head\.levels\.(\d+)\.box_output\.", r"yolox_head.reg_preds.\1."),
    (r"^head\.levels\.(\d+)\.objectness_output\.", r"yolox_head.obj_preds.\1."),
    (r"^(fpn|yolox_head)\.(.*)\.convolution\.", r"\1.\2.conv."),
    (r"^(fpn|yolox_head)\.(.*)\.norm\.", r"\1.\2.bn."),
    (r"\.downsample\.convolution\.", ".downsample_cf2cl.conv."),
    (r"\.downsample\.norm\.", ".downsample_cf2cl.norm."),
    (r"\.blocks\.(\d+)\.(window|grid)\.", r".att_blocks.\1.att_\2."),
    (r"\.attention_norm\.", ".norm1."),
    (r"\.attention\.qkv\.", ".self_attn.qkv."),
    (r"\.attention\.projection\.", ".self_attn.proj."),
    (r"\.attention_scale\.", ".ls1."),
    (r"\.mlp_norm\.", ".norm2."),
    (r"\.mlp\.fc1\.", ".mlp.net.0.0."),
    (r"\.mlp\.fc2\.", ".mlp.net.2."),
    (r"\.mlp_scale\.", ".ls2."),
    (r"\.cell\.gates\.", ".lstm.conv1x1."),
    (r"\.cell\.mixing\.", ".lstm.conv3x3_dws."),
)
"""Patterns in our names and what RVT writes instead, applied in this order."""


def rvt_name(name: str) -> str:
    """What RVT calls the weight that a detector of kind `rvt` calls `name`."""
    for pattern, replacement in _RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


def to_rvt_state_dict(detector: rvt.RVT) -> dict[str, Tensor]:
    """The weights of `detector` under RVT's names, without RVT's Lightning prefix."""
    return {rvt_name(name): weight for name, weight in detector.state_dict().items()}


def is_rvt_state_dict(names: Mapping[str, object]) -> bool:
    """Whether the names of weights are those of RVT, with or without the Lightning prefix."""
    parts = {name.removeprefix(LIGHTNING_PREFIX).split(".")[0] for name in names}
    return {"backbone", "fpn", "yolox_head"} <= parts


def from_rvt_state_dict(weights: Mapping[str, Tensor], config: rvt.Config | None = None) -> rvt.RVT:
    """A detector with RVT's weights, in evaluation mode.

    Args:
        weights: Tensors by RVT's name, with or without the Lightning prefix.
        config: Settings of the detector; read off the tensors if not given.

    Raises:
        CheckpointError: If the tensors do not make up a detector of kind `rvt`.
    """
    theirs = without_prefix(weights)
    found = infer_architecture(theirs)
    detector = (config or found.config).build(found.in_channels, found.num_classes)
    ours = {rvt_name(name): name for name in detector.state_dict()}
    _check_shapes(theirs, to_rvt_state_dict(detector))
    detector.load_state_dict({ours[name]: tensor for name, tensor in theirs.items()})
    logger.info("read weights of RVT: %s", found.summary)
    return detector.eval()


def without_prefix(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same weights, named as in the detector rather than in RVT's Lightning module."""
    return {name.removeprefix(LIGHTNING_PREFIX): tensor for name, tensor in weights.items()}


def _check_shapes(found: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    problems = [f"{name} is missing" for name in wanted.keys() - found.keys()]
    problems += [f"{name} is unknown" for name in found.keys() - wanted.keys()]
    problems += [
        f"{name} is {tuple(found[name].shape)} instead of {tuple(tensor.shape)}"
        for name, tensor in wanted.items()
        if name in found and found[name].shape != tensor.shape
    ]
    if problems:
        shown = "; ".join(sorted(problems)[:5])
        raise CheckpointError(
            f"{len(problems)} weights do not fit an RVT detector of the size that the others "
            f"suggest: {shown}; variants of RVT that change its layers are not supported"
        )
