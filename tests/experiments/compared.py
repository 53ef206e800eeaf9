"""Finished runs with matches, to be compared."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tests.experiments.conftest import recorded

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.datasets.metrics import MetricsDataset
from etram_pipeline.evaluation.matches import write_matches
from etram_pipeline.evaluation.scoring import evaluate_with_matches
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import ExperimentRun, Registry
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


@dataclass(frozen=True)
class Detector:
    """A detector of simulated quality, and what its run logs.

    Attributes:
        missed: Share of objects that it misses.
        protocols: Protocols by which it is evaluated.
        num_recordings: Recordings on which it is evaluated.
        truth: Seed of the labels.
        num_parameters: Size that is logged; 0: none.
        steps: Steps of its validations.
        params: Parameters that are logged.
    """

    missed: float = 0.2
    protocols: tuple[str, ...] = ("etram_8class",)
    num_recordings: int = 6
    truth: int = 0
    num_parameters: int = 4_000_000
    steps: tuple[int, ...] = (100, 200, 300)
    params: dict[str, str] = field(default_factory=dict)


def finish(registry: Registry, run: ExperimentRun, detector: Detector, folder: Path) -> None:
    """Log what a run logs until it is finished."""
    client, run_id = registry.client, run.run_id
    log_evaluation(registry, run_id, detector, folder / run_id, seed=run.seed)
    params = {"train.seed": str(run.seed), "train.optimizer.learning_rate": "0.001"}
    for name, value in {**params, **detector.params}.items():
        client.log_param(run_id, name, value)
    if detector.num_parameters:
        client.log_metric(run_id, "train/num_parameters", detector.num_parameters)
    for step in detector.steps:
        score = (1 - detector.missed) * (1 - 30 / step) - 0.01 * run.seed
        client.log_metric(run_id, "val/etram_8class/AP", score, step=step)
    client.set_tag(run_id, "kedro.command", f"kedro run --params train.seed={run.seed}")
    times = {"interrupted": {"train": 20.5}, "continued": {"train": 40, "evaluate": 2}}
    for session, taken in times.items():
        client.log_text(run_id, json.dumps(taken), f"seconds_by_node/{session}.json")
    registry.set_status(run_id, "FINISHED")


def log_evaluation(
    registry: Registry, run_id: str, detector: Detector, folder: Path, seed: int = 0
) -> None:
    """Log metrics and matches as an evaluation does."""
    labels, detections = tables(detector, seed)
    found = {
        name: evaluate_with_matches(labels, detections, name, CLASSES)
        for name in detector.protocols
    }
    path = folder / "metrics.json"
    MetricsDataset(filepath=str(path)).save({name: metrics for name, (metrics, _) in found.items()})
    registry.client.log_artifact(run_id, str(path), "report")
    for name, (_, matches) in found.items():
        path = folder / f"test-{name}.npz"
        write_matches(matches, path)
        registry.client.log_artifact(run_id, str(path), "report/matches")


def launch(
    own: Project, registry: Registry, name: str, detector: Detector, seeds: Sequence[int]
) -> list[ExperimentRun]:
    """Runs of an experiment, all finished."""
    runs = []
    for seed in seeds:
        folder = own.folder(name, None) / f"seed_{seed}"
        run = registry.schedule(name, own.described(name), seed, folder)
        finish(registry, run, detector, own.path / "logged")
        runs.append(run)
    return runs


def tables(
    detector: Detector, seed: int
) -> tuple[dict[str, LabelTable], dict[str, DetectionTable]]:
    """Labels of cars and pedestrians, and detections of a part of them."""
    truth, rng = np.random.default_rng(detector.truth), np.random.default_rng(seed)
    labels, detections = {}, {}
    for number in range(detector.num_recordings):
        key, table, found = recorded(number, truth, rng)
        missed = detector.missed + truth.uniform(-0.1, 0.1)
        labels[key], detections[key] = table, found[rng.random(40) >= missed]
    return labels, detections
