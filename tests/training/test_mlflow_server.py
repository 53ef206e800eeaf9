"""Runs and trainings whose MLflow server answers, dies, comes back or hangs."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from mlflow.tracking import MlflowClient
from pytorch_lightning.loggers import Logger
from tests.mlflow_server import Server
from tests.test_mlflow_hook import Numbers, Training, files, run_logged, small_pipeline, the_run
from typing_extensions import override

from etram_pipeline.datasets.files import FileDataset
from etram_pipeline.mlflow_logging.run_log import UNSENT
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.mlflow_logger import lightning_loggers
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
Act = Callable[[], None]

pytestmark = pytest.mark.slow

STEPS = 16


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.kill()


@pytest.fixture
def answering(project: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> MlflowClient:
    """A client of the server, without the experiments of other tests."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "0")
    if not server.is_up:
        server.start()
    client = MlflowClient(server.uri)
    if experiment := client.get_experiment_by_name("etram_pipeline"):
        client.rename_experiment(experiment.experiment_id, project.name)
    return client


class Acts(Logger):
    """Does something to the server at some steps of a training."""

    def __init__(self, acts: Mapping[int, Act]) -> None:
        super().__init__()
        self._acts = dict(acts)

    @property
    @override
    def name(self) -> str:
        return "acts"

    @property
    @override
    def version(self) -> str:
        return ""

    @override
    def log_hyperparams(self, params: Any, *args: Any, **options: Any) -> None:
        """Do nothing."""

    @override
    def log_metrics(self, metrics: Mapping[str, float], step: int | None = None) -> None:
        if act := self._acts.pop(1 + (step or 0), None):
            act()


@pytest.fixture
def train(
    record: Record, blueprint: Blueprint, settings: TrainSettings, project: Path
) -> Callable[[str, Mapping[int, Act]], float]:
    """Trains in a logged run, with acts at some steps; returns its seconds."""

    def trained(uri: str, acts: Mapping[int, Act]) -> float:
        def fitted(given: Training) -> Path:
            assert given.steps == 3
            loggers = [*lightning_loggers(), Acts(acts)]
            longer = settings.model_copy(update={"max_steps": STEPS})
            return fit(record(2), record(1), blueprint, longer, project / "work", loggers)

        catalog = DataCatalog(
            {
                "params:train": MemoryDataset(Training()),
                "checkpoint": FileDataset(
                    filepath=str(project / "detector.ckpt"),
                    metadata={"mlflow": {"artifact_path": "checkpoint"}},
                ),
            }
        )
        started = time.monotonic()
        node = Node(fitted, "params:train", "checkpoint", name="train")
        run_logged(project, Pipeline([node]), catalog, uri=uri)
        return time.monotonic() - started

    return trained


Train = Callable[[str, Mapping[int, Act]], float]


def check_whole(client: MlflowClient, before_ms: float) -> None:
    """Every step once and in order, with the time it was made; files; the end."""
    run = the_run(client)
    assert run.info.status == "FINISHED"
    assert run.info.end_time < before_ms
    assert run.data.params["train.steps"] == "3"
    history = client.get_metric_history(run.info.run_id, "train/loss")
    history.sort(key=lambda point: point.step)
    assert [point.step for point in history] == list(range(1, STEPS + 1))
    times = [point.timestamp for point in history]
    assert times == sorted(times)
    assert times[-1] <= run.info.end_time
    scores = client.get_metric_history(run.info.run_id, "val/coco/AP")
    assert sorted(point.step for point in scores) == list(range(4, STEPS + 1, 4))
    assert files(client, run, "checkpoint") == {"checkpoint/detector.ckpt"}
    assert "seconds_by_node" in files(client, run)


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Warnings of this project."""
    return [
        record.message
        for record in caplog.records
        if record.levelno >= logging.WARNING and record.name.startswith("etram_pipeline")
    ]


def test_a_run_on_a_server_has_everything(
    project: Path, answering: MlflowClient, server: Server
) -> None:
    pipeline, catalog = small_pipeline(project)
    catalog["checkpoint"] = Numbers(
        filepath=str(project / "detector.ckpt"),
        metadata={"mlflow": {"metrics": True, "artifact_path": "checkpoint"}},
    )
    run_logged(project, pipeline, catalog, uri=server.uri)
    run = the_run(answering)
    assert run.info.status == "FINISHED"
    assert run.data.params == {"train.steps": "3", "train.optimizer.rate": "0.1"}
    assert run.data.metrics == {"test/AP": 0.5, "quality/problems": 2.0}
    assert run.data.tags["training_run_id"] == "the-training"
    assert files(answering, run, "checkpoint") == {"checkpoint/detector.ckpt"}
    assert files(answering, run, "config") == {"config/parameters.json"}
    assert run.inputs is not None
    assert [used.dataset.name for used in run.inputs.dataset_inputs] == ["store"]
    assert not (project / "mlflow.db").exists()
    assert not (project / "mlruns").exists()


def test_a_server_that_dies_does_not_end_a_training_and_the_next_run_sends_the_rest(
    project: Path,
    answering: MlflowClient,
    server: Server,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    train(server.uri, {6: server.kill})
    assert (project / "detector.ckpt").exists()
    told = warnings(caplog)
    assert len(told) == 2, told
    assert UNSENT in told[1]
    ended_ms = time.time() * 1000
    server.start()
    assert the_run(answering).info.status == "RUNNING"
    run_logged(project, *small_pipeline(project), uri=server.uri, experiment="another")
    check_whole(answering, ended_ms)
    assert not list((project / UNSENT).glob("*/*"))


def test_a_server_that_comes_back_has_everything_at_the_end(
    project: Path,
    answering: MlflowClient,
    server: Server,
    train: Train,
    caplog: pytest.LogCaptureFixture,
) -> None:
    train(server.uri, {6: server.kill, 12: server.start})
    check_whole(answering, time.time() * 1000)
    assert not (project / UNSENT).exists()
    assert len(warnings(caplog)) == 1


def test_a_server_that_hangs_delays_a_training_little(
    project: Path,
    answering: MlflowClient,
    server: Server,
    train: Train,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_TIMEOUT", "2")
    usual_s = train(server.uri, {})
    answering.rename_experiment(the_run(answering).info.experiment_id, f"{project.name} usual")
    work = project / "work"
    work.rename(project / "usual")
    slow_s = train(server.uri, {6: server.pause})
    two_attempts_s = 2 * 2 * 2  # the first, and the last; each is repeated once
    assert slow_s - usual_s < two_attempts_s + 3
    ended_ms = time.time() * 1000
    server.restart()
    run_logged(project, *small_pipeline(project), uri=server.uri, experiment="another")
    check_whole(answering, ended_ms)
