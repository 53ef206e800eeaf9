"""A project with experiments of its own."""

import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from mlflow.entities import Dataset, DatasetInput
from mlflow.tracking import MlflowClient
from tests.conftest import PROJECT

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.datasets.metrics import MetricsDataset
from etram_pipeline.evaluation.matches import Matches, write_matches
from etram_pipeline.evaluation.result import Interval, Metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun, Registry, open_registry
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.mlflow_logging.run_entries import SESSION

NUM_RECORDINGS = 6

Write = Callable[[str, str], Path]


@pytest.fixture
def own(project: Path) -> Project:
    """A project with the real configuration, but without experiments."""
    ignored = shutil.ignore_patterns("experiments")
    shutil.copytree(PROJECT / "conf", project / "conf", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", project)
    (project / "src").mkdir()  # as Kedro wants it
    (project / "conf" / "experiments").mkdir()
    return Project(project)


@pytest.fixture
def write(own: Project) -> Write:
    """Writes the file of an experiment; its first line is the hypothesis unless it has one."""

    def written(name: str, text: str) -> Path:
        path = own.file(name)
        has_one = "hypothesis:" in text
        path.write_text(text if has_one else f"hypothesis: it helps\n{text}")
        return path

    return written


@pytest.fixture
def registry(own: Project, database: Path) -> Registry:
    """The registry of the default environment, still empty."""
    shutil.copy(database, own.path / "mlflow.db")
    return open_registry(own, None)


@pytest.fixture
def lost(own: Project, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """A registry whose MLflow server does not answer."""
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
    return Registry(own, MlflowClient("http://127.0.0.1:9"), "0")


def schedule(own: Project, registry: Registry, name: str, seed: int = 0) -> ExperimentRun:
    """Schedule a run of an experiment, as a launch does."""
    folder = own.folder(name, None) / f"seed_{seed}"
    return registry.schedule(name, own.described(name), seed, folder)


def finish(
    registry: Registry,
    run: ExperimentRun,
    missed: float,
    folder: Path,
    labels: str = "3f9a1c",
) -> None:
    """Log what a finished run logs whose detector misses a share of all objects."""
    own, client = folder / run.run_id, registry.client
    found = evaluated(missed, run.seed)
    metrics = {
        protocol: each.model_copy(
            update={"intervals": {"AP": Interval(value=each.overall["AP"], low=0.1, high=0.9)}}
        )
        for protocol, (each, _) in found.items()
    }
    for protocol, (_, matches) in found.items():
        write_matches(matches, own / "report" / "matches" / f"test-{protocol}.npz")
    dataset = MetricsDataset(filepath=str(own / "report" / "metrics.json"))
    dataset.save(metrics)
    client.log_artifacts(run.run_id, str(own))
    client.log_text(run.run_id, '{"fit": 3600.5, "predict": 60}', "seconds_by_node/first.json")
    for name, value in dataset.numbers(metrics).items():
        client.log_metric(run.run_id, name, value)
    for step in (10, 20, 30):
        client.log_metric(run.run_id, "train/loss", 3 / step, step=step)
    data = Dataset("labelled_frames", labels, "local", "data/labels")
    client.log_inputs(run.run_id, [DatasetInput(data, [])])
    client.log_param(run.run_id, "train.max_steps", "30")
    client.set_tag(run.run_id, "kedro.command", f"kedro run --params train.seed={run.seed}")
    client.set_tag(run.run_id, "mlflow.source.git.commit", "0123abcd")
    client.set_tag(run.run_id, "environment.python", "3.11.2")
    client.set_tag(run.run_id, SESSION, "2026-03-01T12.00.00.500Z")
    client.set_terminated(run.run_id, "FINISHED", end_time=1_772_366_490_500)


@cache
def evaluated(missed: float, seed: int) -> dict[str, tuple[Metrics, Matches]]:
    """Evaluation of a detector that misses a share of all objects, by protocol."""
    tables = _tables(missed, seed)
    names = ("etram_8class", "coco")
    return {name: evaluate_with_matches(*tables, name, CLASSES) for name in names}


def _tables(missed: float, seed: int) -> tuple[dict[str, LabelTable], dict[str, DetectionTable]]:
    truth, rng = np.random.default_rng(0), np.random.default_rng(seed)
    labels, detections = {}, {}
    for number in range(NUM_RECORDINGS):
        key, table, found = recorded(number, truth, rng)
        labels[key] = table
        detections[key] = found[rng.random(len(found)) >= missed]
    return labels, detections


def recorded(
    number: int, truth: np.random.Generator, rng: np.random.Generator
) -> tuple[str, LabelTable, DetectionTable]:
    """Key and labels of a recording, and a detection near each label."""
    table = np.zeros(40, LABEL_DTYPE)
    table["t"] = np.repeat(np.arange(10), 4) * 100_000
    table["x"], table["y"] = np.tile([0, 200, 400, 600], 10), truth.uniform(0, 300, 40)
    table["w"], table["h"] = truth.uniform(20, 140, (2, 40))
    table["class_id"] = truth.integers(0, 2, 40)
    found = np.zeros(40, DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        found[name] = table[name]
    found["x"] += rng.normal(0, 4, 40)
    for name in ("score", "objectness", "class_score", "class_confidence"):
        found[name] = rng.uniform(0.3, 1, 40)
    return f"test/test_{'day' if number % 2 else 'night'}_{number:04d}", table, found
