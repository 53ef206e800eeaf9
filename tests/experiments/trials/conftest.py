"""Searches whose trials are a small program that logs scores instead of a training."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from etram_pipeline.experiments.definition import Experiment, SearchRange
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.trials.plan import Search
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.trial import State, Trial
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

METRIC = "val/etram_8class/AP"
MONITOR = Monitor(METRIC)
RATE = "train.optimizer.learning_rate"

TRAINING = """
import json, os, pathlib, sqlite3, sys, time
plan = json.loads(sys.argv[1])
folder = pathlib.Path(plan["folder"])
database = plan["database"]
run = os.environ["MLFLOW_RUN_ID"]

def write(statement, *values):
    with sqlite3.connect(database, timeout=60) as connection:
        connection.execute(statement, values)
    connection.close()

if plan["fails"]:
    sys.exit("no memory left")
write("UPDATE runs SET status = 'RUNNING' WHERE run_uuid = ?", run)
done = len(list(folder.glob("step_*")))
for number, score in list(enumerate(plan["scores"], 1))[done:]:
    write("INSERT INTO metrics (key, value, timestamp, run_uuid, step, is_nan)"
          " VALUES (?, ?, ?, ?, ?, ?)", plan["metric"], score,
          int(time.time() * 1000), run, 100 * number, 0)
    (folder / f"step_{100 * number}").touch()
    print("step", 100 * number, flush=True)
    time.sleep(plan["pause_s"])
write("UPDATE runs SET status = 'FINISHED', end_time = ? WHERE run_uuid = ?",
      int(time.time() * 1000), run)
"""
"""A training that continues where it was interrupted."""


@dataclass(frozen=True)
class FakeSearch(Search):
    """A search whose trainings take no time; the learning rate alone decides the scores."""

    pause_s: float = 0.0
    fails: bool = False

    @override
    def process(self, trial: Trial) -> list[str]:
        quality = score_of(trial.params)
        plan = {
            "folder": str(trial.results),
            "database": str(self.project.path / "mlflow.db"),
            "metric": METRIC,
            "scores": [quality / 3, quality / 2, quality],
            "pause_s": self.pause_s,
            "fails": self.fails,
        }
        program = trial.results / "training.py"
        program.write_text(TRAINING)
        return [sys.executable, str(program), json.dumps(plan)]


def score_of(params: Mapping[str, Any]) -> float:
    """Best score of a training."""
    return float(1 - abs(params[RATE] - 0.006) * 100)


def trial(
    number: int,
    state: State = "finished",
    score: float = 0.5,
    params: Mapping[str, Any] | None = None,
    **more: object,
) -> Trial:
    """A trial that MLflow might describe, with parameters with and without dots."""
    return Trial(
        number=number,
        run_id=f"run{number}",
        params={**(params or {}), **more},
        results=Path(f"trial_{number}"),
        state=state,
        scores={100: score / 2, 200: score} if state != "failed" else {},
    )


MakeSearch = Callable[..., FakeSearch]


@pytest.fixture
def make_search(project: Path) -> MakeSearch:
    """Makes searches in an empty project."""

    def make(pause_s: float = 0.0, **ranges: SearchRange) -> FakeSearch:
        rates = SearchRange(low=0.001, high=0.01)
        return FakeSearch(
            name="tiny",
            experiment=Experiment(hypothesis="it helps", search=ranges or {RATE: rates}),
            project=Project(project),
            folder=project / "search",
            monitor=MONITOR,
            train=TrainSettings.model_validate(
                {"max_steps": 300, "validation": {"every_steps": 100}}
            ),
            own=None,
            token="0123",
            pause_s=pause_s,
        )

    return make


@pytest.fixture
def search(make_search: MakeSearch) -> FakeSearch:
    """A search of one learning rate."""
    return make_search()


@pytest.fixture
def slow_search(search: FakeSearch) -> FakeSearch:
    """The same, whose trainings take time."""
    return replace(search, pause_s=1.0)


@pytest.fixture
def registry(project: Path, client: "MlflowClient") -> Registry:
    """The runs in the MLflow database of the empty project."""
    return Registry(Project(project), client, client.create_experiment("all"))


@pytest.fixture
def runs(registry: Registry) -> TrialRuns:
    """The trials of the search."""
    return TrialRuns(registry, "0123", METRIC)
