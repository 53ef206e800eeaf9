"""What is found before a detector is exported."""

from importlib.util import find_spec
from pathlib import Path

import pytest
from tests.exported import describe, write_exported
from tests.preflight.conftest import Find, Save, faults


@pytest.mark.usefixtures("stores")
def test_a_detector_that_can_be_exported_passes(found: Find, save_checkpoint: Save) -> None:
    path = save_checkpoint()

    notices = found("deploy", checkpoint=str(path), deploy={"splits": ["val"]})

    assert not [each for each in notices if each.is_fault]


@pytest.mark.usefixtures("raw")
def test_a_detector_that_cannot_be_exported_is_refused_before_its_training(found: Find) -> None:
    detector = {"kind": "faster_rcnn", "backbone": "resnet18"}
    notices = found("preprocess", "train", "deploy", detector=detector)

    assert any(
        "faster_rcnn cannot be exported: its second stage" in each.message for each in notices
    )


@pytest.mark.usefixtures("stores")
def test_missing_packages_are_named_with_the_command_that_installs_them(
    found: Find, save_checkpoint: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "etram_pipeline.deployment.requirements.find_spec",
        lambda name: None if name == "onnxscript" else find_spec(name),
    )

    notices = found("deploy", checkpoint=str(save_checkpoint()), deploy={"splits": ["val"]})

    assert [each.message for each in notices if each.is_fault] == [
        "onnxscript is needed to export detectors, but is not installed: pip install -e '.[deploy]'"
    ]


@pytest.mark.usefixtures("stores")
def test_an_exported_file_is_refused_for_frames_of_another_size(
    found: Find, tmp_path: Path
) -> None:
    frames = {"channels": 8, "height": 96, "width": 64}
    path = write_exported(tmp_path / "detector.onnx", describe(frames=frames))

    [message] = faults(found("predict", checkpoint=str(path), predict={"splits": ["val"]}))

    assert "was exported for frames of 96 x 64 px" in message
    assert "has 48 x 64: export the detector for this size" in message


@pytest.mark.usefixtures("stores")
def test_a_run_that_exports_on_its_way_needs_the_packages(
    found: Find, save_checkpoint: Save, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "etram_pipeline.deployment.requirements.find_spec",
        lambda name: None if name == "onnxscript" else find_spec(name),
    )
    predict = {"splits": ["val"], "runtime": "onnx"}

    [message] = faults(found("predict", checkpoint=str(save_checkpoint()), predict=predict))

    assert message == (
        "predict.runtime is onnx: onnxscript is needed to export detectors, but is not installed: "
        "pip install -e '.[deploy]', or set predict.runtime=torch"
    )
