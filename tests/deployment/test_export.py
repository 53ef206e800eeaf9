"""Every detector that can be exported computes the same as a file."""

from pathlib import Path

import pytest
import torch
from tests.deployment.exports import CLASS_NAMES, ENCODING, export, make_checkpoint, some_windows
from tests.models.detector_choices import CHOICES, SMALL

from etram_pipeline.core.errors import ExportError, SettingsError
from etram_pipeline.deployment.export import ExportedFor, export_detector, weights_fingerprint
from etram_pipeline.deployment.parity import check_parity
from etram_pipeline.deployment.settings import DeploySettings, ParitySettings
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.streaming.model import ExportedModel

RVT = {
    "kind": "rvt",
    "backbone": {
        "kind": "maxvit",
        "embed_dim": 8,
        "attention": {"dim_head": 8, "layer_scale": 0.1},
    },
    "neck": {"kind": "pafpn", "num_bottlenecks": 1},
}


def configure(choice: dict[str, object]) -> DetectorConfig:
    """A small detector with the parts that are chosen."""
    small = RVT if choice["kind"] == "rvt" else SMALL[str(choice["kind"])]
    return DetectorConfig.model_validate({**small, **choice})


EXPORTED = [
    choice for choice in CHOICES if "loss" not in choice and not configure(choice).export_fault
] + [{"kind": "rvt", "backbone": {"kind": "maxvit", "embed_dim": 64}}]
"""Choices that differ in what they compute after training; the last one is as wide as RVT-Base."""


def name_of(choice: dict[str, object]) -> str:
    return " ".join(f"{key}={value}" for key, value in choice.items()).replace("'", "")


@pytest.fixture(scope="module")
def exported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of a small detector of the default kind."""
    path = tmp_path_factory.mktemp("exported") / "detector.onnx"
    export(make_checkpoint(configure({"kind": "rvt"})), path, some_windows(6, 50, 90))
    return path


def test_a_file_computes_what_its_checkpoint_computes(exported: Path) -> None:
    """Padded frames, the memory carried on, and boxes that survive suppression."""
    checkpoint = make_checkpoint(configure({"kind": "rvt"}))

    found = check_parity(checkpoint, exported, [some_windows(6, 50, 90)], ParitySettings())

    assert found.windows == 6
    assert found.detections > 20
    assert found.boxes_px < 1e-3
    assert found.scores < 1e-5


def test_a_file_says_all_that_is_needed_to_run_it(exported: Path) -> None:
    about = ExportedModel(exported).description
    detector = make_checkpoint(configure({"kind": "rvt"})).detector

    assert (about.frames.channels, about.frames.height, about.frames.width) == (4, 50, 90)
    assert about.class_names == CLASS_NAMES
    assert about.encoding == ENCODING
    assert about.downsampled_by == 2
    assert about.suppression.score_threshold == 0.1
    assert about.checkpoint_fingerprint == weights_fingerprint(detector)
    assert DetectorConfig.model_validate(about.detector) == configure({"kind": "rvt"})
    assert about.test_vector is not None
    assert about.test_vector.num_windows == 3
    assert sum(map(len, about.test_vector.scores)) > 10


def test_a_device_can_check_a_file_by_the_windows_in_it(exported: Path) -> None:
    ExportedModel(exported).check()


def test_a_file_does_not_say_where_it_was_made(exported: Path) -> None:
    content = exported.read_bytes()

    assert b".py" not in content
    assert str(Path(torch.__file__).parent).encode() not in content
    assert str(Path.home()).encode() + b"/" not in content


def test_no_copy_of_single_frames_slows_a_file_down(exported: Path) -> None:
    assert b"Scatter" not in exported.read_bytes()


def test_a_file_is_for_any_number_of_lanes(exported: Path) -> None:
    model = ExportedModel(exported)

    assert model.num_lanes is None
    assert len(model.memory_shapes) == 8


def test_a_detector_that_cannot_be_exported_is_refused_with_the_reason(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(configure({"kind": "faster_rcnn"}))

    with pytest.raises(ExportError, match=r"kind faster_rcnn cannot be exported: .* as many boxes"):
        export(checkpoint, tmp_path / "detector.onnx", some_windows(1, 64, 64))

    assert not list(tmp_path.iterdir())


def test_names_must_be_those_of_all_classes(tmp_path: Path) -> None:
    checkpoint = make_checkpoint(configure({"kind": "rvt"}))
    nameless = type(checkpoint)(**{**vars(checkpoint), "class_names": ()})
    frames = ExportedFor(64, 64, 1, ENCODING, class_names=("car",))

    with pytest.raises(SettingsError, match=r"1 class names \(car\), but .* 3 classes"):
        export_detector(nameless, tmp_path / "detector.onnx", frames, DeploySettings())


@pytest.mark.slow
def test_two_exports_are_equal(exported: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.onnx"
    export(make_checkpoint(configure({"kind": "rvt"})), again, some_windows(6, 50, 90))

    assert again.read_bytes() == exported.read_bytes()


@pytest.mark.slow
def test_a_fixed_number_of_lanes_is_computed_as_one(tmp_path: Path) -> None:
    checkpoint, path = make_checkpoint(configure({"kind": "yolox"})), tmp_path / "detector.onnx"
    export(checkpoint, path, some_windows(3, 64, 96), DeploySettings(lanes=2))

    assert ExportedModel(path).num_lanes == 2
    check_parity(checkpoint, path, [some_windows(3, 64, 96)], ParitySettings())


@pytest.mark.thorough
@pytest.mark.parametrize("choice", EXPORTED, ids=name_of)
def test_every_detector_computes_the_same_as_a_file(
    choice: dict[str, object], tmp_path: Path
) -> None:
    checkpoint, path = make_checkpoint(configure(choice)), tmp_path / "detector.onnx"
    windows = some_windows(5, 60, 90)

    export(checkpoint, path, windows)

    found = check_parity(checkpoint, path, [windows], ParitySettings())
    assert found.detections > 5
    ExportedModel(path).check()
