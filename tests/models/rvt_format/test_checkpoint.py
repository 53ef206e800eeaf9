"""Checkpoints of RVT and its forks, made up of the names and shapes that those have."""

import logging
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.cells import conv_lstm
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.heads import yolox
from etram_pipeline.models.necks import pafpn
from etram_pipeline.models.rvt_format.architecture import infer_architecture
from etram_pipeline.models.rvt_format.checkpoint import (
    from_rvt_state_dict,
    is_rvt_state_dict,
    to_rvt_state_dict,
)

Change = Callable[[dict[str, Tensor]], object]

ODD = rvt.Config(
    backbone=maxvit.Config(
        embed_dim=16,
        dim_multipliers=(1, 2, 3, 4),
        num_blocks=(1, 2, 1, 1),
        attention=AttentionSettings(dim_head=16, mlp_ratio=2, layer_scale=0, bias=False),
    ),
    cell=conv_lstm.Config(depthwise="input_and_hidden", kernel_size=5),
    neck=pafpn.Config(num_bottlenecks=3),
    head=yolox.Config(hidden_channels=24, num_convolutions=1),
)


@pytest.mark.parametrize(
    "written",
    [
        ODD,
        ODD.model_copy(update={"cell": conv_lstm.Config(depthwise="hidden")}),
        rvt.Config(
            backbone=maxvit.Config(embed_dim=48, attention=AttentionSettings(dim_head=24)),
            head=yolox.Config(hidden_channels=96),
        ),
    ],
    ids=["odd", "hidden", "small"],
)
def test_the_architecture_is_read_off_the_tensors(written: rvt.Config) -> None:
    detector = written.build(6, 5)
    weights = to_rvt_state_dict(detector)
    architecture = infer_architecture(weights)
    assert (architecture.in_channels, architecture.num_classes) == (6, 5)
    assert architecture.config == written
    found = from_rvt_state_dict(weights)
    for name, weight in found.state_dict().items():
        assert torch.equal(weight, detector.state_dict()[name])


def test_what_tensors_do_not_show_can_be_given(detector: rvt.RVT, config: rvt.Config) -> None:
    backbone = maxvit.Config(
        embed_dim=8, partition_split=1, attention=AttentionSettings(dim_head=4)
    )
    given = config.model_copy(update={"backbone": backbone})
    found = from_rvt_state_dict(to_rvt_state_dict(detector), given)
    assert (detector.backbone.size_multiple, found.backbone.size_multiple) == (64, 32)


def test_what_was_found_and_assumed_is_logged(
    detector: rvt.RVT, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        from_rvt_state_dict(to_rvt_state_dict(detector))
    [record] = caplog.records
    assert "4 input channels, 3 classes" in record.message
    assert "assumed: dim_head" in record.message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda w: w.pop("fpn.C3_p3.conv1.bn.bias"), "fpn.C3_p3.conv1.bn.bias is missing"),
        (lambda w: w.update({"fpn.extra": torch.ones(1)}), r"does not have: fpn.extra \(1 weights"),
        (
            lambda w: w.update({"fpn.C3_p3.extra": torch.ones(1)}),
            "fpn.C3_p3.extra is unknown",
        ),
        (
            lambda w: w.update({"fpn.bu_conv1.conv.weight": torch.ones(1, 2)}),
            r"fpn.bu_conv1.conv.weight is \(1, 2\) instead of",
        ),
        (lambda w: w.pop("yolox_head.cls_preds.0.weight"), "lacks the weight 'yolox_head.cls"),
        (
            lambda w: w.update({"backbone.stages.7.lstm.conv1x1.bias": torch.ones(1)}),
            "lacks the weight 'backbone.stages.4",
        ),
        (
            lambda w: w.update(
                {"backbone.stages.0.att_blocks.0.att_window.mlp.net.0.0.weight": torch.ones(0, 8)}
            ),
            "do not fit an RVT detector",
        ),
        (
            lambda w: w.update({"yolox_head.stems.0.conv.weight": torch.tensor(1.0)}),
            "describe no detector known here",
        ),
        (lambda w: w.clear(), "lacks the weight 'yolox_head.cls_preds.0"),
        (
            lambda w: w.update({f"yolox_head.stems.{n}.conv.bias": torch.ones(1) for n in (3, 4)}),
            "5 scales of 4 stages",
        ),
        (
            lambda w: w.update({"yolox_head.cls_preds.0.weight": torch.ones(0, 32, 1, 1)}),
            "0 classes",
        ),
    ],
)
def test_weights_that_make_no_detector_are_named(
    detector: rvt.RVT, change: Change, message: str
) -> None:
    weights = to_rvt_state_dict(detector)
    change(weights)
    with pytest.raises(CheckpointError, match=message):
        from_rvt_state_dict(weights)


def test_weights_without_numbers_are_named(detector: rvt.RVT) -> None:
    weights = {name: tensor.to("meta") for name, tensor in to_rvt_state_dict(detector).items()}
    with pytest.raises(CheckpointError, match="the weights do not fit the detector"):
        from_rvt_state_dict(weights)


def test_weights_with_and_without_prefix_are_not_mixed(detector: rvt.RVT) -> None:
    weights = to_rvt_state_dict(detector)
    name = next(iter(weights))
    with pytest.raises(
        CheckpointError, match=f"1 weights are there twice, such as {name} and mdl.{name}"
    ):
        from_rvt_state_dict({**weights, f"mdl.{name}": weights[name] + 1})


def test_weights_of_other_models_are_told_apart(detector: rvt.RVT) -> None:
    weights = to_rvt_state_dict(detector)
    assert is_rvt_state_dict(weights)
    assert is_rvt_state_dict({f"mdl.{name}": weight for name, weight in weights.items()})
    assert not is_rvt_state_dict(detector.state_dict())
