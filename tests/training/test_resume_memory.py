"""What checkpoints remember of lanes and generators, and what is done where it does not fit."""

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tests.models.detector_choices import SMALL
from tests.training.runs import NANO, RTDETR, At, PowerCutError, assert_same_training, changed, fail
from tests.training.test_resume import Record

from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.resume import PROCESSES_KEY, random_state, set_random_state
from etram_pipeline.training.settings import TrainSettings

Data = tuple[LabelledRecordings, LabelledRecordings, Blueprint]


def test_a_recurrent_transformer_with_dropout_goes_on_to_the_last_bit(
    record: Record, settings: TrainSettings, tmp_path: Path
) -> None:
    dropout = {"cell": {"kind": "conv_lstm", "cell_input_dropout": 0.5}}
    rvt = DetectorConfig.model_validate(NANO.model_dump(serialize_as_any=True) | dropout)
    settings = changed(settings, max_steps=5, sampling={"kind": "stream"}, clip_length=2)
    data = record(2), record(1, first_seed=7), Blueprint(detector=rvt, class_names=("a", "b"))
    fit(*data, settings, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*data, settings, tmp_path / "parts", [At(4, fail)])
    best = fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")
    (saved,) = torch.load(tmp_path / "parts" / LAST)[PROCESSES_KEY]["each"]
    assert len(saved["lanes"]) == 8
    assert all(memory.any() for memory in saved["lanes"])
    assert read_checkpoint(best).class_names == ("a", "b")


def test_rt_detr_goes_on_to_the_last_bit_with_its_memory_and_its_denoising(
    record: Record, settings: TrainSettings, tmp_path: Path
) -> None:
    settings = changed(
        settings, max_steps=5, sampling={"kind": "stream"}, clip_length=2, average_decay=0.9
    )
    data = record(2), record(1, first_seed=7), Blueprint(detector=RTDETR, class_names=("a", "b"))
    fit(*data, settings, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*data, settings, tmp_path / "parts", [At(4, fail)])
    fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")
    (saved,) = torch.load(tmp_path / "parts" / LAST)[PROCESSES_KEY]["each"]
    assert [tuple(memory.shape) for memory in saved["lanes"]] == [
        (2, 16, side, side) for side in (4, 4, 2, 2, 1, 1)
    ]
    assert all(memory.any() for memory in saved["lanes"])


@pytest.mark.parametrize("kind", ["faster_rcnn", "rf_detr", "yolox"])
def test_detectors_of_frames_go_on_to_the_last_bit(
    record: Record, settings: TrainSettings, tmp_path: Path, kind: str
) -> None:
    """With what they draw, such as the proposals that Faster R-CNN learns from."""
    settings = changed(
        settings, max_steps=5, sampling={"kind": "random"}, clip_length=1, average_decay=0.9
    )
    detector = DetectorConfig.model_validate({"kind": kind} | SMALL[kind])
    data = record(2), record(1, first_seed=7), Blueprint(detector=detector, class_names=("a", "b"))
    fit(*data, settings, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*data, settings, tmp_path / "parts", [At(4, fail)])
    fit(*data, settings, tmp_path / "parts")
    assert_same_training(tmp_path / "parts", tmp_path / "whole")


def test_a_training_killed_just_when_it_stops_early_is_not_resumed(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    patient = changed(
        settings,
        max_steps=40,
        optimizer={"learning_rate": 1e-9},
        validation=settings.validation.model_dump() | {"patience": 2, "every_steps": 2},
    )
    data = record(2), record(1), blueprint
    fit(*data, patient, tmp_path / "whole")
    with pytest.raises(PowerCutError):
        fit(*data, patient, tmp_path / "parts", [At(6, fail, "val/coco/AP")])
    fit(*data, patient, tmp_path / "parts", [At(7, fail)])
    assert_same_training(tmp_path / "parts", tmp_path / "whole")


def interrupted(data: Data, settings: TrainSettings, folder: Path) -> Path:
    """Checkpoint of a training that was interrupted in its fifth step."""
    with pytest.raises(PowerCutError):
        fit(*data, settings, folder, [At(5, fail)])
    return folder / LAST


def test_a_checkpoint_of_a_former_version_goes_on_with_empty_memory(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = record(2), record(1), blueprint
    last = interrupted(data, settings, tmp_path)
    content = torch.load(last)
    del content[PROCESSES_KEY]
    last.unlink()  # the best checkpoint may be the same file
    torch.save(content, last)
    fit(*data, settings, tmp_path)
    assert [step for step, name, _ in read_history(tmp_path / HISTORY) if name == "train/loss"] == [
        *range(1, 9)
    ]
    assert "a version that did not store the recurrent state" in caplog.text


def test_memory_that_does_not_fit_the_lanes_is_said_and_dropped(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    data = record(2), record(1), blueprint
    interrupted(data, settings, tmp_path)
    fit(*data, changed(settings, lanes=3), tmp_path)
    assert "with 2 lanes each, but training continues in 1 with 3" in caplog.text
    assert torch.load(tmp_path / LAST)["global_step"] == settings.max_steps


def test_every_generator_goes_on_where_it_was(tmp_path: Path) -> None:
    def draw() -> list[float]:
        of_numpy = np.random.random(), np.random.normal()  # noqa: NPY002, as libraries do
        return [random.random(), random.gauss(0, 1), *of_numpy, torch.rand(()).item()]

    draw()  # both normal distributions now have a second number at hand
    torch.save(random_state(torch.device("cpu")), tmp_path / "state")
    drawn = draw()
    draw()
    set_random_state(torch.load(tmp_path / "state", weights_only=True), torch.device("cpu"))
    assert draw() == drawn
