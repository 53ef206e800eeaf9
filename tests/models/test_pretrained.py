"""Weights of other programs, and what of them fits a detector."""

import re
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor
from torchvision import models

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.detectors import DetectorConfig, faster_rcnn
from etram_pipeline.models.pretrained import describe_missing, fitting_weights, read_weights

CONFIG = faster_rcnn.Config(backbone="resnet18", head_dim=16)
NUM_CHANNELS, NUM_CLASSES = 4, 3


@pytest.fixture(scope="module")
def detector() -> faster_rcnn.FasterRCNN:
    return CONFIG.build(NUM_CHANNELS, NUM_CLASSES)


@pytest.fixture(scope="module")
def resnet() -> dict[str, Tensor]:
    torch.manual_seed(1)
    weights: dict[str, Tensor] = models.resnet18(weights=None).state_dict()
    return weights


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_a_resnet_becomes_the_backbone(
    detector: faster_rcnn.FasterRCNN, resnet: dict[str, Tensor], tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"resnet.{ending}"
    if ending == "pth":
        torch.save({"state_dict": {f"module.{name}": w for name, w in resnet.items()}}, path)
    else:
        save_file(resnet, path)
    found = fitting_weights(detector, read_weights(path))
    body = {name for name in detector.state_dict() if name.startswith("backbone.body.")}
    assert found.keys() == body
    assert torch.equal(
        found["backbone.body.layer4.1.conv2.weight"], resnet["layer4.1.conv2.weight"]
    )


def test_a_stem_of_three_colours_sees_equal_channels_as_a_grey_photograph(
    detector: faster_rcnn.FasterRCNN, resnet: dict[str, Tensor]
) -> None:
    stem = fitting_weights(detector, resnet)["backbone.body.conv1.weight"]
    assert stem.shape == (64, NUM_CHANNELS, 7, 7)
    grey = torch.rand(1, 1, 20, 20, dtype=torch.float64)
    ours = torch.nn.functional.conv2d(grey.expand(-1, NUM_CHANNELS, -1, -1), stem.double())
    theirs = torch.nn.functional.conv2d(grey.expand(-1, 3, -1, -1), resnet["conv1.weight"].double())
    torch.testing.assert_close(ours, theirs)


def test_what_stays_random_is_named_and_counted(
    detector: faster_rcnn.FasterRCNN, resnet: dict[str, Tensor]
) -> None:
    found = fitting_weights(detector, resnet)
    trained = (weight for weight in detector.state_dict().values() if weight.is_floating_point())
    fitting = sum(weight.is_floating_point() for weight in found.values())
    missing = len(list(trained)) - fitting
    told = describe_missing(detector, found)
    parts = "backbone.fpn., roi_heads., rpn."
    assert told == f"{missing} weights keep their initial values: {parts}"
    without_one = {name: found[name] for name in found if name != "backbone.body.conv1.weight"}
    assert f": backbone.body.conv1., {parts}" in describe_missing(detector, without_one)
    of_layer = {name: found[name] for name in found if name != "backbone.body.bn1.weight"}
    assert f": backbone.body.bn1.weight, {parts}" in describe_missing(detector, of_layer)
    assert describe_missing(detector, detector.state_dict()) == "all weights were found"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("R-50.pkl", b"\x80\x04", "is a pickle file, as Detectron2 writes them"),
        ("half.safetensors", b"\x08", "cannot be read as a safetensors file"),
        ("half.pth", b"PK", "cannot be read as a PyTorch checkpoint"),
    ],
)
def test_files_that_cannot_be_read_are_refused_in_one_line(
    tmp_path: Path, name: str, content: bytes, message: str
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CheckpointError, match=re.escape(f"{tmp_path / name} {message}")) as error:
        read_weights(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_family_without_a_library_takes_no_foreign_weights(resnet: dict[str, Tensor]) -> None:
    rvt = DetectorConfig.model_validate({"kind": "rvt"}).build(NUM_CHANNELS, NUM_CLASSES)
    assert fitting_weights(rvt, resnet) == {}
