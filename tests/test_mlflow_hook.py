"""The MLflow hook, on small pipelines and a real MLflow store."""

import json
import math
import os
import platform
import subprocess
import sys
import time
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from kedro.framework.hooks.manager import _create_hook_manager
from kedro.io import DataCatalog, MemoryDataset
from kedro.pipeline import Node, Pipeline
from kedro.runner import SequentialRunner
from mlflow.entities import Run
from mlflow.tracking import MlflowClient

from etram_pipeline.core.component import Settings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.datasets.detections import DetectionsDataset
from etram_pipeline.datasets.files import FileDataset
from etram_pipeline.mlflow_hook import MlflowHook
from etram_pipeline.session import sigterm_exits

EXPERIMENT = "etram_pipeline"


class Optimizer(Settings):
    rate: float = 0.1


class Training(Settings):
    steps: int = 3
    optimizer: Optimizer = Optimizer()


class Store:
    training_run_id = "the-training"

    def __fingerprint__(self) -> object:
        return "frames"


_sessions = count()


def run_logged(project: Path, pipeline: Pipeline, catalog: DataCatalog, **options: object) -> None:
    """What `kedro run` does around a runner."""
    hook = MlflowHook()
    manager = _create_hook_manager()
    manager.register(hook)
    config = {"mlflow": {"experiment": EXPERIMENT, **options}}
    hook.after_context_created(SimpleNamespace(config_loader=config, project_path=project))  # type: ignore[arg-type]
    session = f"2026-01-02T03.04.{next(_sessions):02d}.678Z"
    params = {"pipeline_names": ["b", "a"], "run_id": session, "env": "lab"}
    manager.hook.before_pipeline_run(run_params=params, pipeline=pipeline, catalog=catalog)
    try:
        with sigterm_exits():
            SequentialRunner().run(pipeline, catalog, manager)
    except Exception as error:
        manager.hook.on_pipeline_error(
            error=error, run_params=params, pipeline=pipeline, catalog=catalog
        )
        raise
    else:
        manager.hook.after_pipeline_run(
            run_params=params, run_result={}, pipeline=pipeline, catalog=catalog
        )
    finally:
        hook.release()


def the_run(client: MlflowClient) -> Run:
    experiment = client.get_experiment_by_name(EXPERIMENT)
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def seconds_by_node(client: MlflowClient, run: Run) -> list[dict[str, float]]:
    """Times of each session, in order."""
    paths = sorted(files(client, run, "seconds_by_node"))
    found = [Path(client.download_artifacts(run.info.run_id, path)) for path in paths]
    return [json.loads(path.read_text()) for path in found]


def files(client: MlflowClient, run: Run, folder: str = "") -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id, folder)}


def small_pipeline(project: Path) -> tuple[Pipeline, DataCatalog]:
    def train(store: Store, settings: Training) -> Path:
        assert store.training_run_id
        assert settings.steps
        (project / "made.ckpt").write_text("weights")
        return project / "made.ckpt"

    catalog = DataCatalog(
        {
            "store": MemoryDataset(Store(), copy_mode="assign"),
            "params:train": MemoryDataset(Training()),
            "checkpoint": FileDataset(
                filepath=str(project / "detector.ckpt"),
                metadata={"mlflow": {"artifact_path": "checkpoint"}},
            ),
        }
    )
    return Pipeline([Node(train, ["store", "params:train"], "checkpoint", name="train")]), catalog


def test_a_run_records_parameters_files_data_and_outcome(
    project: Path, client: MlflowClient
) -> None:
    run_logged(project, *small_pipeline(project))
    run = the_run(client)
    assert run.info.status == "FINISHED"
    assert run.info.run_name == "a+b lab 01-02 03:04"
    assert run.data.params == {"train.steps": "3", "train.optimizer.rate": "0.1"}
    assert run.data.tags["kedro.pipelines"] == "a+b"
    assert files(client, run, "checkpoint") == {"checkpoint/detector.ckpt"}
    assert "config" in files(client, run)
    assert run.inputs is not None
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "store"


def test_a_run_names_the_versions_and_devices_it_ran_with(
    project: Path, client: MlflowClient
) -> None:
    run_logged(project, *small_pipeline(project))
    tags = the_run(client).data.tags
    assert tags["environment.python"] == platform.python_version()
    assert torch.__version__.startswith(tags["environment.torch"])
    assert "core" in tags["environment.cpu"]


def test_detections_from_elsewhere_are_named_but_claim_no_training(
    project: Path, client: MlflowClient
) -> None:
    (project / "other").mkdir()
    np.save(project / "other" / "c.npy", np.zeros(0))
    dataset = DetectionsDataset(path="own", read_from={"path": str(project / "other")})
    node = Node(fingerprint, "detections", "text", name="look")
    run_logged(project, Pipeline([node]), DataCatalog({"detections": dataset}))
    run = the_run(client)
    assert run.data.tags["detections"] == str(dataset.load().origin)
    assert "training_run_id" not in run.data.tags
    assert run.inputs is not None
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.source == str(project / "other")


def test_each_session_keeps_its_times_and_a_node_that_fails_has_one(
    project: Path, client: MlflowClient
) -> None:
    def fail() -> None:
        time.sleep(0.05)
        raise ValueError

    first = Pipeline([Node(fail, None, "x", name="make")])
    with pytest.raises(ValueError):  # noqa: PT011  # the node's own
        run_logged(project, first, DataCatalog())
    run_id = the_run(client).info.run_id
    again = Pipeline([Node(list, None, "x", name="make")])
    run_logged(project, again, DataCatalog(), run_id=run_id)
    failed, done = seconds_by_node(client, the_run(client))
    assert failed["make"] >= 0.05 > done["make"]


def test_a_later_run_is_linked_to_the_training_it_uses(project: Path, client: MlflowClient) -> None:
    run_logged(project, *small_pipeline(project))
    tags = the_run(client).data.tags
    assert tags["training_run_id"] == "the-training"
    assert "mlflow.parentRunId" not in tags  # MLflow's table folds children away


def test_an_error_marks_the_run_as_failed_and_keeps_the_traceback(
    project: Path, client: MlflowClient
) -> None:
    def fail() -> int:
        raise ValueError("no light")

    with pytest.raises(ValueError, match="no light"):
        run_logged(project, Pipeline([Node(fail, None, "x")]), DataCatalog())
    run = the_run(client)
    assert run.info.status == "FAILED"
    assert "traceback.txt" in files(client, run)


def test_a_run_can_be_continued_and_says_what_changed(project: Path, client: MlflowClient) -> None:
    pipeline, catalog = small_pipeline(project)
    run_logged(project, pipeline, catalog)
    catalog["params:train"] = MemoryDataset(Training(steps=5))
    run_logged(project, pipeline, catalog, run_id=the_run(client).info.run_id)
    run = the_run(client)
    assert run.info.status == "FINISHED"
    assert run.data.params["train.steps"] == "3"
    assert run.data.tags["changed.train.steps"] == "5"


def test_what_a_launcher_left_in_the_environment_does_not_stop_logging(
    project: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RANK", "")
    monkeypatch.setenv("LOCAL_RANK", "3")
    run_logged(project, *small_pipeline(project))
    assert the_run(client).info.status == "FINISHED"


def test_logging_in_mlflow_can_be_switched_off(project: Path, client: MlflowClient) -> None:
    run_logged(project, *small_pipeline(project), enabled=False)
    assert client.get_experiment_by_name(EXPERIMENT) is None


def test_no_secret_reaches_the_store(
    project: Path, client: MlflowClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["kedro", "run", "--params", "db.password=hunter22,a=1"])
    subprocess.run(["git", "init", "-q"], check=True)
    remote = "https://me:hunter22@host/repo.git"
    subprocess.run(["git", "remote", "add", "origin", remote], check=True)
    author = ["-c", "user.name=a", "-c", "user.email=b"]
    subprocess.run(["git", *author, "commit", "-q", "--allow-empty", "-m", "c"], check=True)

    def fail(settings: dict[str, str]) -> int:
        raise ValueError(f"no login with {settings['password']} at {settings['server']}")

    found = {"password": "hunter22", "server": remote, "users": [{"token": "hunter22"}]}
    catalog = DataCatalog({"params:db": MemoryDataset(found)})
    with pytest.raises(ValueError, match="hunter22"):
        run_logged(project, Pipeline([Node(fail, "params:db", "x", name="log_in")]), catalog)
    run = the_run(client)
    assert run.data.tags["mlflow.source.git.repoURL"] == "https://***@host/repo.git"
    assert run.data.tags["kedro.command"].endswith("db.password=***,a=1'")
    assert run.data.params["db.password"] == "***"
    assert b"hunter22" not in (project / "mlflow.db").read_bytes()
    artifacts = [path for path in (project / "mlruns").rglob("*") if path.is_file()]
    assert {path.name for path in artifacts} >= {"traceback.txt", "parameters.json"}
    for path in artifacts:
        assert "hunter22" not in path.read_text()


class Numbers(FileDataset):
    """A dataset with numbers that are none."""

    def numbers(self, _data: object) -> dict[str, float]:
        return {
            "test/AP": 0.5,
            "test/nan": math.nan,
            "test/inf": -math.inf,
            "quality/problems": 2.0,
        }


def test_only_numbers_become_metrics_and_those_named_become_tags(
    project: Path, client: MlflowClient
) -> None:
    pipeline, catalog = small_pipeline(project)
    catalog["checkpoint"] = Numbers(
        filepath=str(project / "detector.ckpt"),
        metadata={"mlflow": {"metrics": True, "tags": ["quality/problems", "none"]}},
    )
    run_logged(project, pipeline, catalog)
    run = the_run(client)
    assert run.data.metrics == {"test/AP": 0.5, "quality/problems": 2.0}
    assert run.data.tags["quality/problems"] == "2"
    assert "none" not in run.data.tags


def test_a_run_leaves_the_environment_as_it_was(project: Path, client: MlflowClient) -> None:
    run_logged(project, *small_pipeline(project))
    assert client.search_experiments()
    assert not {"MLFLOW_RUN_ID", "MLFLOW_TRACKING_URI"} & set(os.environ)
