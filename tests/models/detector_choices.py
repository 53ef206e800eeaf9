"""Every detector, and RVT with every part: what the tests of all detectors run over."""

from etram_pipeline.core.component import kinds
from etram_pipeline.models.detectors import rvt

PARTS = {
    "backbone": "backbones",
    "cell": "cells",
    "refinement": "refinements",
    "neck": "necks",
    "head": "heads",
    "loss": "losses",
    "auxiliary": "auxiliaries",
}

SMALL: dict[str, dict[str, object]] = {
    "faster_rcnn": {"backbone": "resnet18", "fpn_channels": 8, "head_dim": 16}
    | {"proposals": 100, "sampled_proposals": 64},
    "rf_detr": {
        "input_size": (64, 96),
        "num_queries": 10,
        "decoder_layers": 1,
        "encoder_layers": 4,
        "encoder_dim": 32,
    },
    "rtdetr": {
        "width": 8,
        "hidden_size": 32,
        "decoder_layers": 2,
        "num_queries": 40,
        "num_denoising": 4,
    },
    "yolox": {"backbone": "lcnet_050", "neck": {"kind": "pafpn", "num_bottlenecks": 1}},
}
"""What makes the other families small."""

NEEDED: dict[str, dict[str, object]] = {
    "several": {"tasks": [{"kind": "none"}, {"kind": "small_objects"}]},
}
"""Settings without a default, by the kind of a part of RVT."""

DEFAULTS = rvt.Config().model_dump(serialize_as_any=True)

CHOICES: list[dict[str, object]] = [
    {"kind": kind} for kind in kinds("etram_pipeline.models.detectors")
]
CHOICES += [
    {"kind": "rvt", part: {"kind": kind} | NEEDED.get(kind, {})}
    for part, package in PARTS.items()
    for kind in kinds(f"etram_pipeline.models.{package}")
    if kind != DEFAULTS[part]["kind"]
]
CHOICES += [
    {"kind": "rvt", "cell": {"kind": "conv_lstm", "depthwise": mixed}}
    for mixed in ("hidden", "input_and_hidden")
]

CHOICES += [
    {"kind": "rvt", "loss": {"kind": "yolox", "size_weight": {"kind": kind}}}
    for kind in kinds("etram_pipeline.models.size_weights")
]
CHOICES += [
    {"kind": "rvt", "loss": {"kind": "yolox", "classification": {"kind": kind}}}
    for kind in kinds("etram_pipeline.models.classification_losses")
]
CHOICES += [
    {"kind": "rvt", "loss": {"kind": "yolox", "negative_weight": {"kind": kind}}}
    for kind in kinds("etram_pipeline.models.negative_weights")
    if kind != "uniform"
]
CHOICES += [
    {"kind": "rvt", "neck_stages": (1, 2, 3, 4)},
    {"kind": "rvt", "input_size": (48, 96)},
    {"kind": "yolox", "input_size": (64, 96), "count_scale": 10.0},
    {"kind": "rf_detr", "size": "seg_small", "input_size": (48, 72)},
    {"kind": "faster_rcnn", "batch_norm": "frozen", "focal": {"gamma": 1.5}},
    {"kind": "rtdetr", "memory": {"cell": {"kind": "conv_lstm"}, "initial_weight": 1.0}},
]
