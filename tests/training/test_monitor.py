"""The value that selects the best checkpoint is the one that the protocol's first metric names."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.training.checkpoints import BEST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.settings import TrainSettings, ValidationSettings

Record = Callable[..., LabelledRecordings]


@pytest.mark.parametrize(("mode", "better"), [("max", (0.0, 0.2, 0.3)), ("min", (0.3, 0.2, 0.0))])
def test_the_mode_says_which_score_is_better(mode: str, better: tuple[float, ...]) -> None:
    monitor = Monitor("val/x/y", mode=mode)  # type: ignore[arg-type]  # a parameter of the test
    for worse, score in zip((monitor.worst, *better), better, strict=False):
        assert monitor.is_better(score, worse)
        assert not monitor.is_better(worse, score)
        assert not monitor.is_better(score, score)


def test_a_named_protocol_stays_a_name_in_what_identifies_a_training() -> None:
    assert TrainSettings().outcome()["validation"] == ValidationSettings().model_dump(mode="json")
    assert ValidationSettings().model_dump(mode="json")["protocol"] == "etram_8class"


def test_a_protocol_written_out_survives_writing() -> None:
    fields = {"like": "coco", "name": "mine", "tolerance_us": 3}
    settings = ValidationSettings.model_validate({"protocol": fields})
    assert isinstance(settings.protocol, Protocol)
    assert settings.protocol.tolerance_us == 3
    assert ValidationSettings.model_validate_json(settings.model_dump_json()) == settings


@pytest.mark.usefixtures("count_error")
def test_a_lower_value_selects_the_best_checkpoint_where_lower_is_better(
    record: Record, blueprint: Blueprint, settings: TrainSettings, tmp_path: Path
) -> None:
    metrics = [{"kind": "count_error", "of": "area"}, {"kind": "average_precision"}]
    protocol = {"like": "coco", "name": "counting", "metrics": metrics}
    validation = settings.validation.model_dump() | {"protocol": protocol, "every_steps": 2}
    counting = TrainSettings.model_validate(settings.model_dump() | {"validation": validation})
    fit(record(2), record(1), blueprint, counting, tmp_path)
    errors = {
        step: value
        for step, name, value in read_history(tmp_path / HISTORY)
        if name == "val/counting/count_error"
    }
    assert len(errors) == 4
    state = torch.load(tmp_path / BEST, weights_only=False)
    lowest = min(errors.values())
    assert errors[state["global_step"]] == pytest.approx(lowest)
    assert state["global_step"] == next(s for s, e in errors.items() if e == lowest)
