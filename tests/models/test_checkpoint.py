import pickle
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.errors import CheckpointError
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.models import load_detector
from etram_pipeline.models.checkpoint import (
    Checkpoint,
    checkpoint_payload,
    read_checkpoint,
    write_checkpoint,
)
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.rvt_format.checkpoint import to_rvt_state_dict


def same_weights(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    theirs = second.state_dict()
    return first.state_dict().keys() == theirs.keys() and all(
        torch.equal(weight, theirs[name]) for name, weight in first.state_dict().items()
    )


def test_a_checkpoint_says_all_about_its_detector(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "best.ckpt"
    write_checkpoint(path, checkpoint)
    found = read_checkpoint(path)
    assert same_weights(found.detector, checkpoint.detector)
    assert not found.detector.training
    assert found.detector_config == checkpoint.detector_config
    assert checkpoint_payload(found) == checkpoint_payload(checkpoint)
    assert same_weights(load_detector(path), checkpoint.detector)


def test_operating_scores_are_read_to_the_last_bit(tmp_path: Path, checkpoint: Checkpoint) -> None:
    scores = OperatingScores(
        protocol="coco", choices="0", ranking="joint", common=1 / 3, per_class={"car": 0.1}
    )
    write_checkpoint(tmp_path / "best.ckpt", replace(checkpoint, operating_scores=scores))
    assert read_checkpoint(tmp_path / "best.ckpt").operating_scores == scores


def test_a_calibration_is_read_to_the_last_bit(tmp_path: Path, checkpoint: Checkpoint) -> None:
    scaling = {"kind": "temperature", "temperature": 1 / 3}
    calibration = Calibration.model_validate(
        {"protocol": "coco", "choices": "0", "num_detections": 7, "scaling": scaling}
    )
    write_checkpoint(tmp_path / "best.ckpt", replace(checkpoint, calibration=calibration))
    assert read_checkpoint(tmp_path / "best.ckpt").calibration == calibration


def test_what_no_validation_found_is_not_written(tmp_path: Path, checkpoint: Checkpoint) -> None:
    assert not {"operating_scores", "calibration"} & checkpoint_payload(checkpoint).keys()
    write_checkpoint(tmp_path / "best.ckpt", checkpoint)
    assert read_checkpoint(tmp_path / "best.ckpt").calibration is None


def test_lightning_checkpoints_are_read_among_all_else_they_hold(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    weights = {f"detector.{k}": v for k, v in checkpoint.detector.state_dict().items()}
    content = {
        "etram": checkpoint_payload(checkpoint),
        "state_dict": weights | {"metric.total": torch.zeros(1)},
        "epoch": 3,
        "callbacks": {"ModelCheckpoint": {"dirpath": Path("somewhere")}},
    }
    torch.save(content, tmp_path / "last.ckpt")
    assert same_weights(load_detector(tmp_path / "last.ckpt"), checkpoint.detector)


class Foreign:
    """An object of another program."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_rvt_checkpoints_are_read_without_running_what_is_in_them(
    tmp_path: Path, detector: rvt.RVT
) -> None:
    path, made = tmp_path / "rvt.ckpt", tmp_path / "made-by-unpickling"
    weights = {f"mdl.{name}": weight for name, weight in to_rvt_state_dict(detector).items()}
    settings = {"weights": torch.nn.Parameter(torch.ones(2)), "args": Foreign(made)}
    torch.save({"state_dict": weights, "epoch": 1, "hyper_parameters": settings}, path)
    found = read_checkpoint(path)
    assert same_weights(found.detector, detector)
    assert (found.in_channels, found.class_names, found.encoding) == (4, (), None)
    assert not made.exists()


def test_bare_weights_of_rvt_are_read(tmp_path: Path, detector: rvt.RVT) -> None:
    torch.save(to_rvt_state_dict(detector), tmp_path / "weights.pth")
    assert same_weights(load_detector(tmp_path / "weights.pth"), detector)


def refused(path: Path) -> str:
    with pytest.raises(CheckpointError) as caught:
        read_checkpoint(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_missing_and_damaged_files_are_named(tmp_path: Path, checkpoint: Checkpoint) -> None:
    path = tmp_path / "last.ckpt"
    assert "there is no checkpoint" in refused(path)
    assert "there is no checkpoint" in refused(tmp_path)
    write_checkpoint(path, checkpoint)
    whole = path.read_bytes()
    for damaged in (
        b"",
        b"not a checkpoint",
        whole[: len(whole) // 2],
        pickle.dumps([1], protocol=2),
    ):
        path.write_bytes(damaged)
        assert "cannot be read as a PyTorch checkpoint" in refused(path)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "because it is empty"),
        (b"hello", "it may be incomplete (its content is not one)"),
        (b"version https://git-lfs.github.com/spec/v1\noid", "fetch the file by `git lfs pull`"),
        (b"\n<!DOCTYPE html>", "begins as a web page does"),
        (b"\x08\x07onnx", "it may be incomplete (invalid load key"),
    ],
)
def test_files_that_are_no_checkpoint_are_told_apart(
    tmp_path: Path, content: bytes, reason: str
) -> None:
    (tmp_path / "best.ckpt").write_bytes(content)
    assert reason in refused(tmp_path / "best.ckpt")


@pytest.mark.filterwarnings("ignore")
def test_a_torchscript_program_is_named(tmp_path: Path) -> None:
    torch.jit.script(torch.nn.Linear(1, 1)).save(tmp_path / "best.pt")
    assert "as a TorchScript program: save the `state_dict()`" in refused(tmp_path / "best.pt")


def test_weights_that_changed_since_they_were_written_are_told(
    tmp_path: Path, checkpoint: Checkpoint
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, checkpoint)
    content = bytearray(path.read_bytes())
    for place in range(len(content) // 2, len(content) // 2 + 100):
        content[place] ^= 1
    path.write_bytes(content)
    assert "is damaged: its checksums do not fit" in refused(path)


def test_other_contents_are_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pt"
    torch.save(torch.zeros(3), path)
    assert "holds a Tensor, not a checkpoint" in refused(path)
    torch.save(torch.nn.Linear(1, 1), path)
    assert "save its `state_dict()` instead" in refused(path)
    torch.save({"model": {}, "optimizer": {}}, path)
    assert "neither a checkpoint of this project nor one of RVT" in refused(path)
    assert "it holds model, optimizer" in refused(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"detector": {"kind": "yolo_nine"}}, "unknown kind 'yolo_nine'"),
        ({"in_channels": 7}, "the weights do not fit the detector"),
        ({"class_names": None}, "the description of the detector is damaged"),
        ({"detector": {"kind": "rvt", "neck_stages": [3, 4, 5]}}, "names stage 5"),
        ({"operating_scores": {"common": "high"}}, "its operating scores are not known"),
        (
            {"calibration": {"scaling": {"kind": "beta"}}},
            "the settings of its calibration are not known to this version of the project",
        ),
        ({"format": 2}, "last.ckpt: its format 2 is newer than this version of the project"),
    ],
)
def test_what_does_not_fit_together_is_named(
    tmp_path: Path, checkpoint: Checkpoint, changes: dict[str, object], message: str
) -> None:
    path = tmp_path / "last.ckpt"
    write_checkpoint(path, checkpoint)
    content = torch.load(path)
    content["etram"] |= changes
    torch.save(content, path)
    assert message in refused(path)


def test_weights_that_are_no_numbers_are_refused(
    tmp_path: Path, checkpoint: Checkpoint, detector: rvt.RVT
) -> None:
    with torch.no_grad():
        next(detector.head.parameters()).view(-1)[0] = torch.nan
    write_checkpoint(tmp_path / "own.ckpt", checkpoint)
    assert "1 weights hold values that are not numbers, head." in refused(tmp_path / "own.ckpt")
    torch.save(to_rvt_state_dict(detector), tmp_path / "rvt.ckpt")
    assert "the training diverged" in refused(tmp_path / "rvt.ckpt")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"etram": [1]}, "the description of the detector is damaged"),
        ({1: torch.zeros(3)}, "neither a checkpoint of this project nor one of RVT"),
        ({"state_dict": {1: torch.zeros(3)}}, "neither a checkpoint of this project nor one of"),
    ],
)
def test_odd_contents_are_refused(
    tmp_path: Path, content: dict[object, object], message: str
) -> None:
    torch.save(content, tmp_path / "odd.ckpt")
    assert message in refused(tmp_path / "odd.ckpt")


def test_settings_are_known_without_loading_torch() -> None:
    light = "etram_pipeline.models, etram_pipeline.models.detectors"
    light += ", etram_pipeline.labels.suppression"
    code = f"import sys, {light}; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
