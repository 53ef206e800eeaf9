"""What RVT and its eTraM fork call the weights of a detector, and what they add to its own.

Source of the names: uzh-rpg/RVT b80f568 and eventbasedvision/eTraM 8930488, models/; those of a
neck over four maps and of the plain LSTM: JeongbinOK/eTram-rvt, its notes on the
layers for stride 4, and rvt_eTram/models/layers/rnn.py 1771de3.
"""

import re
from collections import Counter
from collections.abc import Iterable

LIGHTNING_PREFIX = "mdl."
"""What RVT's Lightning module puts before the name of every weight of the detector."""

PARTS = ("backbone", "neck", "head")
"""Parts of a detector that RVT has too; the others act in training alone, or RVT lacks them."""

_NECK_STEP = re.compile(r"^neck\.(top_down|bottom_up)\.(\d+)\.(reduce|shrink|merge)")

_RENAMINGS = (
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
    (r"\.cell\.", ".lstm."),
)
"""Patterns in our names and what RVT writes instead, applied in this order."""

_OF_RVT = re.compile(
    r"backbone\.stages\.\d+\.(downsample_cf2cl|att_blocks)\."
    r"|backbone\.stages\.\d+\.lstm\.(conv1x1|conv3x3_dws|input_transform|hidden_transform)\."
    r"|fpn\.(lateral_conv0|reduce_conv\d|bu_conv\d|C3_[pn]\d)\."
    r"|yolox_head\.(stems|cls_convs|reg_convs|cls_preds|reg_preds|obj_preds)\."
)


def rvt_name(name: str, num_scales: int = 3) -> str:
    """What RVT calls the weight that a detector of kind `rvt` calls `name`.

    Args:
        name: Our name of it.
        num_scales: Maps that the detector's neck merges.
    """
    name = _NECK_STEP.sub(lambda step: _neck_part(step, num_scales), name)
    for pattern, replacement in _RENAMINGS:
        name = re.sub(pattern, replacement, name)
    return name


def count_foreign(names: Iterable[str]) -> Counter[str]:
    """How many weights belong to each module that RVT does not have; names without prefix."""
    return Counter(_module_of(name) for name in names if not _OF_RVT.match(name))


def is_in(name: str, modules: Iterable[str]) -> bool:
    """Whether a weight belongs to one of these modules."""
    return any(name == module or name.startswith(f"{module}.") for module in modules)


def _neck_part(step: re.Match[str], num_scales: int) -> str:
    # RVT counts the merged maps by stage, p4 being the second coarsest wherever the neck begins.
    index = int(step[2])
    if step[1] == "top_down":
        if step[3] == "merge":
            return f"fpn.C3_p{4 - index}"
        return f"fpn.reduce_conv{index}" if index else "fpn.lateral_conv0"
    from_coarsest = num_scales - 1 - index
    return f"fpn.C3_n{5 - from_coarsest}" if step[3] == "merge" else f"fpn.bu_conv{from_coarsest}"


def _module_of(name: str) -> str:
    depth = 4 if name.startswith("backbone.stages.") else 2
    return ".".join(name.split(".")[:depth])
