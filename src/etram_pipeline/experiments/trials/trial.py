"""One trial of a search, as MLflow describes it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from etram_pipeline.core.mappings import flatten
from etram_pipeline.experiments.trials.cost import Cost
from etram_pipeline.training.monitor import Monitor

State = Literal["open", "finished", "pruned", "failed", "slow", "refused"]
"""`open`: it runs, or was interrupted and can continue. `slow`: it was not trained, because it
takes longer than the limit; `refused`: because its values do not fit each other.
"""


@dataclass(frozen=True)
class Trial:
    """One training with parameters that a search chose.

    Attributes:
        number: Its place in the search, from 0.
        run_id: Its MLflow run.
        params: The values tried, by dotted key.
        results: Folder of its detector.
        state: What became of it.
        scores: Validation score by training step.
        seconds: How long its MLflow run took; None: it has not ended.
        cost: What its detector costs; None: that was not measured.
        reason: Why it was not trained; empty if it was.
    """

    number: int
    run_id: str
    params: Mapping[str, Any]
    results: Path
    state: State = "open"
    scores: Mapping[int, float] | None = None
    seconds: float | None = None
    cost: Cost | None = None
    reason: str = ""

    def best(self, monitor: Monitor) -> float | None:
        """The best validation score, which is that of the detector it saves; None without any."""
        return best_score((self.scores or {}).values(), monitor)


def values_text(params: Mapping[str, Any]) -> str:
    """Values that were tried, in one line."""
    return ", ".join(f"{key}={value}" for key, value in flatten(dict(params)).items())


def best_score(scores: Iterable[float], monitor: Monitor) -> float | None:
    """The best of some scores; None without any."""
    choose = max if monitor.mode == "max" else min
    return choose(scores, default=None)


def best_trial(trials: Iterable[Trial], monitor: Monitor) -> Trial | None:
    """The finished trial with the best score; the first of equal ones."""
    found, best = None, monitor.worst
    for trial in trials:
        score = trial.best(monitor)
        if trial.state == "finished" and score is not None and monitor.is_better(score, best):
            found, best = trial, score
    return found


def front(trials: Iterable[Trial], monitor: Monitor) -> list[Trial]:
    """The finished trials than which no other is both as fast and better, the fastest first."""
    sign = -1 if monitor.mode == "max" else 1
    measured = [
        (trial.cost.ms_per_window, sign * score, trial.number, trial)
        for trial in trials
        if trial.state == "finished" and trial.cost and (score := trial.best(monitor)) is not None
    ]
    found, best = [], monitor.worst
    for _, signed, _, trial in sorted(measured, key=lambda each: each[:3]):
        if monitor.is_better(sign * signed, best):
            found.append(trial)
            best = sign * signed
    return found
