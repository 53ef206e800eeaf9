"""What a detector costs, measured in prepared recordings with the real configuration."""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.preprocessing.recordings import preprocess, write_recordings

from etram_pipeline.core.errors import StoreError
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.trials import cost
from etram_pipeline.experiments.trials.cost import Job, Measurement

TINY = {
    "representation.bins": 4,
    "predict.precision": "32",
    "detector.backbone": {
        "embed_dim": 8,
        "attention": {"dim_head": 8},
        "dim_multipliers": [1, 2],
        "num_blocks": [1, 1],
    },
    "detector.neck_stages": [1, 2],
}


@pytest.fixture
def prepared(own: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project with small prepared recordings, of which few windows are timed."""
    write_recordings(own.path / "raw")
    preprocess(own.path / "raw", own.data(None) / "02_intermediate" / "histograms")
    monkeypatch.setattr(cost, "WARM_UP", 1)
    monkeypatch.setattr(cost, "WINDOWS", 4)
    return own


def job(project: Project, params: dict[str, Any]) -> Job:
    return Job(project=project.path, env=None, params=params, result=project.path / "found.json")


def test_detector_is_timed_in_the_windows_of_a_validation_recording(prepared: Project) -> None:
    cost.main(job(prepared, TINY).model_dump_json())
    found = Measurement.model_validate(json.loads((prepared.path / "found.json").read_text()))
    assert found.refusal == ""
    assert found.cost is not None
    low, high = found.cost.quartiles_ms
    assert 0 < low <= found.cost.ms_per_window <= high
    assert 10_000 < found.cost.parameters < 1_000_000


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"detector.backbone.num_blocks": [1]}, "num_blocks is for 1 stages"),
        ({"detector.neck_stages": [1, 2, 3]}, "neck_stages names stage 3, but the backbone has 2"),
        ({"detector.backbone.embed_dim": 12}, "dim_head 8 does not divide the 12 channels"),
    ],
)
def test_values_that_fit_no_detector_are_refused_with_the_reason(
    own: Project, monkeypatch: pytest.MonkeyPatch, changed: dict[str, Any], reason: str
) -> None:
    import torch

    monkeypatch.setattr(cost, "_windows", lambda _: torch.zeros(5, 8, 32, 32, dtype=torch.uint8))
    found = cost.measure(job(own, {**TINY, **changed}))
    assert found.cost is None
    assert reason in found.refusal


def test_recordings_that_are_too_short_to_time_are_an_error(
    prepared: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cost, "WINDOWS", 10_000)
    with pytest.raises(StoreError, match="no recording has the 10001 windows that are timed"):
        cost.measure(job(prepared, TINY))


def test_command_is_that_of_the_module(tmp_path: Path) -> None:
    written = Job(project=tmp_path, env="etram", params={"a.b": [1]}, result=tmp_path / "r.json")
    _, flag, module, text = written.command
    assert (flag, module) == ("-m", cost.__name__)
    assert Job.model_validate_json(text) == written
