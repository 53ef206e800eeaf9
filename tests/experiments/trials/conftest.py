"""Searches whose trials are a small program that logs scores instead of a training."""

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import override

from etram_pipeline.experiments.definition import Experiment, SearchLimit, SearchRange
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry
from etram_pipeline.experiments.trials.cost import Cost, Measurement
from etram_pipeline.experiments.trials.plan import MEASURED, Search
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.trial import State, Trial
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.settings import TrainSettings

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

METRIC = "val/etram_8class/AP"
MONITOR = Monitor(METRIC)
RATE = "train.optimizer.learning_rate"
WIDTH = "detector.backbone.embed_dim"

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

_PATIENCE_S = 30.0


@dataclass(frozen=True)
class FakeSearch(Search):
    """A search whose trainings take no time.

    The learning rate or the width decides the score, and the width the time per window: 1 ms for
    each channel. No detector can have an odd width.
    """

    pause_s: float = 0.0
    fails: bool = False
    measuring_s: float = 0.0

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

    @override
    def measuring(self, trial: Trial) -> list[str]:
        width = trial.params[WIDTH]
        is_odd = width % 2
        found = Measurement(refusal="odd") if is_odd else Measurement(cost=cost_of(width))
        trial.results.mkdir(parents=True, exist_ok=True)
        (trial.results / MEASURED).write_text(found.model_dump_json())
        program = "import sys, time; print('measuring', flush=True); time.sleep(float(sys.argv[1]))"
        return [sys.executable, "-c", program, str(self.measuring_s)]


def cost_of(ms: float) -> Cost:
    """Cost of a detector that takes so long for a window."""
    return Cost(parameters=1000 * round(ms), ms_per_window=ms, quartiles_ms=(ms - 1, ms + 1))


def score_of(params: Mapping[str, Any]) -> float:
    """Best score of a training."""
    if WIDTH in params:
        return float(1 - 4 / params[WIDTH])
    return float(1 - abs(params[RATE] - 0.006) * 100)


def trial(
    number: int,
    state: State = "finished",
    score: float = 0.5,
    params: Mapping[str, Any] | None = None,
    ms: float | None = None,
    **more: object,
) -> Trial:
    """A trial that MLflow might describe, with parameters with and without dots."""
    return Trial(
        number=number,
        run_id=f"run{number}",
        params={**(params or {}), **more},
        results=Path(f"trial_{number}"),
        state=state,
        scores={} if state in {"failed", "slow", "refused"} else {100: score / 2, 200: score},
        cost=None if ms is None else cost_of(ms),
    )


def signalled_when(
    search: FakeSearch, file: str, times: int = 1, number: int = signal.SIGINT
) -> threading.Thread:
    """Sends this process a signal as soon as a training has written a file."""

    def send() -> None:
        started = time.monotonic()
        while time.monotonic() - started < _PATIENCE_S:
            if list(search.folder.glob(f"*/{file}")):
                for _ in range(times):
                    os.kill(os.getpid(), number)
                    time.sleep(0.1)
                return
            time.sleep(0.02)

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


MakeSearch = Callable[..., FakeSearch]


@pytest.fixture
def make_search(project: Path) -> MakeSearch:
    """Makes searches in an empty project."""

    def make(
        pause_s: float = 0.0, limit_ms: float | None = None, **ranges: SearchRange
    ) -> FakeSearch:
        rates = SearchRange(low=0.001, high=0.01)
        limit = None if limit_ms is None else SearchLimit(ms_per_window=limit_ms)
        return FakeSearch(
            name="tiny",
            experiment=Experiment(
                hypothesis="it helps", search=ranges or {RATE: rates}, limit=limit
            ),
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
