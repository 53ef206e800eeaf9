"""What RVT and its eTraM fork published: sizes, windows, names of four scales, modules left out."""

import json
import logging
from pathlib import Path

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models import load_detector
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_format.checkpoint import (
    from_rvt_state_dict,
    read_rvt,
    to_rvt_state_dict,
)

GOLDEN = Path(__file__).parents[2] / "golden" / "model"


def published(size: str, num_classes: int) -> dict[str, Tensor]:
    """Weights by the names and in the shapes of a checkpoint of RVT, with Lightning's prefix."""
    keys = json.loads((GOLDEN / f"state_dict_{size}.json").read_text())["keys"]
    shapes = {name: about["shape"] for name, about in keys.items()}
    for name in shapes:
        if ".cls_preds." in name:
            shapes[name] = [num_classes, *shapes[name][1:]]
    return {
        f"mdl.{name}": torch.zeros(shape, dtype=torch.int64 if name.endswith("tracked") else None)
        for name, shape in shapes.items()
    }


@pytest.mark.parametrize(
    ("size", "num_classes", "found"),
    [
        ("tiny", 2, "RVT-Tiny with 32-64-128-256 channels, 20 input channels, 2 classes"),
        ("small", 3, "RVT-Small with 48-96-192-384 channels, 20 input channels, 3 classes"),
        ("base", 8, "RVT-Base with 64-128-256-512 channels, 20 input channels, 8 classes"),
    ],
)
def test_published_sizes_are_reported(size: str, num_classes: int, found: str) -> None:
    detector, architecture = read_rvt(published(size, num_classes))
    bottlenecks, dim_head = {"tiny": (1, 32), "small": (1, 24), "base": (2, 32)}[size]
    split = "1 as on Gen1" if num_classes == 2 else "2 as on 1 Mpx and eTraM"
    assert architecture.summary == (
        f"{found}, patches of 4 px, cell conv_lstm, 3 scales of strides 8 16 32 px, "
        f"{bottlenecks} bottlenecks; assumed: dim_head {dim_head}, partition_split {split}"
    )
    assert sum(w.numel() for w in detector.state_dict().values()) == sum(
        w.numel() for w in published(size, num_classes).values()
    )


def part_size(detector: rvt.RVT, in_channels: int, height: int, width: int) -> tuple[int, int]:
    """Cells along the sides of the windows that attention looks at."""
    seen: list[tuple[int, int]] = []
    last_stage = detector.backbone.get_submodule("stages.3")
    last_stage.register_forward_pre_hook(lambda _, given: seen.append(given[-1]))
    with torch.no_grad():
        detector(torch.zeros(1, 1, in_channels, height, width))
    return seen[0]


@pytest.mark.parametrize(
    ("num_classes", "patch_size", "size", "of_rvt"),
    [
        (2, 4, (240, 304), (256 // 32, 320 // 32)),
        (3, 4, (360, 640), (384 // 64, 640 // 64)),
        (8, 2, (360, 640), (384 // 64, 640 // 64)),
    ],
    ids=["Gen1", "1 Mpx", "patches of 2 px"],
)
def test_windows_are_as_large_as_those_of_rvt(
    config: rvt.Config,
    num_classes: int,
    patch_size: int,
    size: tuple[int, int],
    of_rvt: tuple[int, int],
) -> None:
    backbone = config.backbone.model_copy(update={"patch_size": patch_size})
    written = config.model_copy(update={"backbone": backbone}).build(4, num_classes)
    found, _ = read_rvt(to_rvt_state_dict(written))
    assert part_size(found, 4, *size) == of_rvt


def test_windows_can_be_said_for_a_file(
    tmp_path: Path, detector: rvt.RVT, caplog: pytest.LogCaptureFixture
) -> None:
    torch.save({"state_dict": to_rvt_state_dict(detector)}, tmp_path / "rvt.ckpt")
    with caplog.at_level(logging.INFO):
        found = load_detector(tmp_path / "rvt.ckpt", partition_split=1)
    assert isinstance(found, rvt.RVT)
    assert (detector.backbone.size_multiple, found.backbone.size_multiple) == (64, 32)
    assert "partition_split" not in caplog.text


def test_the_fork_s_names_of_four_scales_are_where_their_shapes_fit(config: rvt.Config) -> None:
    backbone = maxvit.Config(embed_dim=8, attention=AttentionSettings(dim_head=8))
    changes = {"neck_stages": (1, 2, 3, 4), "backbone": backbone}
    written = config.model_copy(update=changes).build(4, 3)
    weights = to_rvt_state_dict(written)
    of_stages = {1: 8, 2: 16, 3: 32, 4: 64}
    laterals = {"lateral_conv0": (4, 3), "reduce_conv1": (3, 2), "reduce_conv2": (2, 1)}
    for name, (coarse, fine) in laterals.items():
        shape = (of_stages[fine], of_stages[coarse], 1, 1)
        assert weights[f"fpn.{name}.conv.weight"].shape == shape
    for name, stage in {"bu_conv3": 1, "bu_conv2": 2, "bu_conv1": 3}.items():
        shape = (of_stages[stage], of_stages[stage], 3, 3)
        assert weights[f"fpn.{name}.conv.weight"].shape == shape
    merges = {"p4": (3, 3), "p3": (2, 2), "p2": (1, 1), "n2": (1, 2), "n3": (2, 3), "n4": (3, 4)}
    for name, (read, made) in merges.items():
        assert weights[f"fpn.C3_{name}.conv1.conv.weight"].shape[1] == 2 * of_stages[read]
        assert weights[f"fpn.C3_{name}.conv3.conv.weight"].shape[0] == of_stages[made]
    for level in range(4):
        shape = (16, of_stages[level + 1], 1, 1)
        assert weights[f"yolox_head.stems.{level}.conv.weight"].shape == shape
    found, architecture = read_rvt(weights)
    assert architecture.neck_stages == (1, 2, 3, 4)
    assert "4 scales of strides 4 8 16 32 px" in architecture.summary
    frames = torch.rand(2, 1, 4, 64, 64)
    with torch.no_grad():
        assert torch.equal(found(frames)[0], written.eval()(frames)[0])


@pytest.mark.parametrize(
    ("names", "named"),
    [
        (
            [
                "fpn.small_object_attention_modules.scale_0.spatial.weight",
                "fpn.small_object_attention_modules.scale_0.spatial.bias",
                "fpn.scale_aware_attention_modules.scale_0.fc.weight",
            ],
            r"fpn.scale_aware_attention_modules \(1 weights, a fork's attention behind .*"
            r"fpn.small_object_attention_modules \(2 weights, a fork's attention behind",
        ),
        (
            [
                f"backbone.stages.1.lstm.{name}.weight"
                for name in (
                    "temporal_attention.0",
                    "temporal_attention.2",
                    "density_estimator",
                    "small_object_enhancer",
                    "feature_fusion",
                )
            ],
            r"backbone.stages.1.lstm \(5 weights, a fork's `LightweightEnhancedConvLSTM`",
        ),
        (["yolox_head.iou_branch.weight"], r"yolox_head.iou_branch \(1 weights\); without"),
    ],
    ids=["attention", "enhanced LSTM", "unheard of"],
)
def test_modules_that_are_not_reproduced_are_named(
    detector: rvt.RVT, names: list[str], named: str
) -> None:
    weights = to_rvt_state_dict(detector) | dict.fromkeys(names, torch.ones(1))
    with pytest.raises(CheckpointError, match=named):
        from_rvt_state_dict(weights)


def test_what_acts_in_training_alone_is_left_out_aloud(
    detector: rvt.RVT, caplog: pytest.LogCaptureFixture
) -> None:
    weights = to_rvt_state_dict(detector)
    extra = {"backbone.stages.0.mask_token", "yolox_head.aux_head.stem.weight"}
    found = from_rvt_state_dict(weights | dict.fromkeys(extra, torch.ones(1)))
    assert "backbone.stages.0.mask_token (1 weights), yolox_head.aux_head (1 " in caplog.text
    for name, weight in found.state_dict().items():
        assert torch.equal(weight, detector.state_dict()[name])
