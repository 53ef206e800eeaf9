"""Trainings that start from the weights of a checkpoint."""

import re
from pathlib import Path

import pytest
import torch

from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.models.checkpoint import Checkpoint, write_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.detectors.rvt import RVT
from etram_pipeline.models.rvt_format.checkpoint import to_rvt_state_dict
from etram_pipeline.training.start import take_weights

NANO = DetectorConfig.model_validate(
    {"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": 8, "attention": {"dim_head": 8}}}
)


OTHERS = r"are initialised anew, because it has \('box', 'other'\)"


@pytest.mark.parametrize(
    ("known", "wanted", "is_kept", "about"),
    [
        (("box", "other"), ("box", "other"), True, "its classes are the same"),
        (("box", "other"), ("other", "box"), False, OTHERS),
        (("box", "other"), ("car", "tram"), False, OTHERS),
        (("box", "other"), ("a", "b", "c"), False, OTHERS),
    ],
)
def test_weights_of_classes_are_taken_for_the_same_classes_only(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    known: tuple[str, ...],
    wanted: tuple[str, ...],
    is_kept: bool,  # noqa: FBT001
    about: str,
) -> None:
    path = tmp_path / "start.ckpt"
    start = NANO.build(2, len(known))
    write_checkpoint(path, Checkpoint(start, NANO, 2, known))
    detector = NANO.build(2, len(wanted))
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}

    with caplog.at_level("INFO"):
        take_weights(Checkpoint(detector, NANO, 2, wanted, len(wanted)), path)

    found, given = detector.state_dict(), start.state_dict()
    tells_classes = [name for name in found if ".class_output." in name]
    assert len(tells_classes) == 6
    for name in tells_classes:
        assert torch.equal(found[name], (given if is_kept else before)[name])
    for name in found.keys() - set(tells_classes):
        assert torch.equal(found[name], given[name])
    assert re.search(about, caplog.text)


def test_weights_of_a_checkpoint_without_class_names_are_taken_by_their_number(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    start = NANO.build(2, 2)
    assert isinstance(start, RVT)
    torch.save(to_rvt_state_dict(start), tmp_path / "rvt.ckpt")
    detector = NANO.build(2, 2)
    with caplog.at_level("INFO"):
        take_weights(Checkpoint(detector, NANO, 2, ("car", "tram"), 2), tmp_path / "rvt.ckpt")
    name = "head.levels.0.class_output.weight"
    assert torch.equal(detector.state_dict()[name], start.state_dict()[name])
    assert "does not name its classes, which are assumed to be ('car', 'tram')" in caplog.text


RCNN = DetectorConfig.model_validate(
    {"kind": "faster_rcnn", "backbone": "resnet18", "fpn_channels": 8, "head_dim": 16}
)


def test_weights_of_a_library_leave_the_classes_random(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ("car", "tram")
    given, detector = (RCNN.build(2, len(names)) for _ in range(2))
    torch.save(given.state_dict(), tmp_path / "torchvision.pth")
    before = {name: tensor.clone() for name, tensor in detector.state_dict().items()}

    with caplog.at_level("INFO"):
        take_weights(Checkpoint(detector, RCNN, 2, names, 2), tmp_path / "torchvision.pth")

    of_classes = {name for name in before if "box_predictor" in name}
    assert len(of_classes) == 4
    for name, tensor in detector.state_dict().items():
        start = before if name in of_classes else given.state_dict()
        assert torch.equal(tensor, start[name])
    total = len(before)
    assert f"{total - 4} of {total} weights were loaded from {tmp_path}" in caplog.text
    assert "4 weights keep their initial values: roi_heads.box_predictor." in caplog.text


def test_weights_of_another_network_are_refused(tmp_path: Path) -> None:
    torch.save({"stem.weight": torch.ones(2)}, tmp_path / "other.pth")
    made = Checkpoint(RCNN.build(2, 2), RCNN, 2, ("car", "tram"), 2)
    told = "no weight in it fits FasterRCNN: it has stem.weight; the detector has backbone.body"
    with pytest.raises(CheckpointError, match=told):
        take_weights(made, tmp_path / "other.pth")


RTDETR = {
    "kind": "rtdetr",
    "width": 8,
    "hidden_size": 16,
    "decoder_layers": 1,
    "num_queries": 10,
}


def test_a_detector_of_frames_gives_all_its_weights_to_one_with_memory(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    frames = DetectorConfig.model_validate(RTDETR)
    memory = DetectorConfig.model_validate(RTDETR | {"memory": {"cell": {"kind": "conv_gru"}}})
    start = frames.build(2, 2)
    write_checkpoint(tmp_path / "frames.ckpt", Checkpoint(start, frames, 2, ("car", "tram")))
    detector = memory.build(2, 2)
    made = Checkpoint(detector, memory, 2, ("car", "tram"), 2)
    with caplog.at_level("INFO"):
        take_weights(made, tmp_path / "frames.ckpt")
    found, given = detector.state_dict(), start.state_dict()
    assert all(torch.equal(found[name], value) for name, value in given.items())
    new = found.keys() - given.keys()
    assert {name.split(".")[0] for name in new} == {"memory"}
    assert f"{len(given)} of {len(found)} weights were loaded from" in caplog.text
    assert f"{len(new)} weights keep their initial values: memory." in caplog.text


def test_a_checkpoint_of_another_detector_is_refused(tmp_path: Path) -> None:
    write_checkpoint(tmp_path / "rvt.ckpt", Checkpoint(NANO.build(2, 2), NANO, 2, ("a", "b")))
    config = DetectorConfig.model_validate(RTDETR)
    made = Checkpoint(config.build(2, 2), config, 2, ("a", "b"), 2)
    told = r"rvt\.ckpt holds a RVT, and none of its weights fits the RTDETR of this run"
    with pytest.raises(CheckpointError, match=told):
        take_weights(made, tmp_path / "rvt.ckpt")


@pytest.mark.parametrize(("width", "warning"), [(8, None), (16, "train.freeze keeps ")])
def test_frozen_parameters_that_the_file_lacks_are_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, width: int, warning: str | None
) -> None:
    known = DetectorConfig.model_validate(RTDETR | {"width": 8})
    wanted = DetectorConfig.model_validate(RTDETR | {"width": width})
    write_checkpoint(tmp_path / "a.ckpt", Checkpoint(known.build(2, 2), known, 2, ("a", "b")))
    made = Checkpoint(wanted.build(2, 2), wanted, 2, ("a", "b"), 2)
    take_weights(made, tmp_path / "a.ckpt", ("network.backbone.",))
    warnings = [each.getMessage() for each in caplog.records if each.levelname == "WARNING"]
    assert len(warnings) == (warning is not None)
    assert warning is None or warning in warnings[0]
