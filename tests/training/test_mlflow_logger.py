"""Step metrics in a real MLflow store."""

from collections.abc import Callable
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from pytorch_lightning.utilities import rank_zero_only

from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.mlflow_logger import lightning_loggers
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]


def test_without_a_run_nothing_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_RUN_ID", raising=False)
    assert lightning_loggers() == []


def test_step_metrics_go_into_the_run_of_the_process_which_stays_open(
    record: Record,
    blueprint: Blueprint,
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    uri = f"sqlite:///{tmp_path}/mlflow.db"
    client = MlflowClient(uri)
    experiment = client.create_experiment("here", (tmp_path / "artifacts").as_uri())
    run_id = client.create_run(experiment).info.run_id
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.setenv("MLFLOW_RUN_ID", run_id)
    fit(record(2), record(1), blueprint, settings, tmp_path / "work", lightning_loggers())
    run = client.get_run(run_id)
    assert run.info.status == "RUNNING"
    assert not run.data.params
    assert "epoch" not in run.data.metrics
    assert {"train/loss", "train/box", "train/learning_rate", "val/coco/AP"} <= set(
        run.data.metrics
    )
    weights = blueprint.detector.build(2, 2).parameters()
    assert run.data.metrics["train/num_parameters"] == sum(each.numel() for each in weights)
    losses = client.get_metric_history(run_id, "train/loss")
    assert sorted(point.step for point in losses) == list(range(1, 9))
    scores = client.get_metric_history(run_id, "val/coco/AP")
    assert sorted(point.step for point in scores) == [4, 8]


def test_only_the_first_process_tracks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_RUN_ID", "0" * 32)
    monkeypatch.setattr(rank_zero_only, "rank", 1)
    assert lightning_loggers() == []
