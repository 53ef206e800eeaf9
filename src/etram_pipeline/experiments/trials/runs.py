"""The trials of a search in MLflow, which is the only list of them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from etram_pipeline.experiments.registry import EXPERIMENT, RESULTS, Registry
from etram_pipeline.experiments.trials.cost import Cost
from etram_pipeline.experiments.trials.trial import State, Trial

if TYPE_CHECKING:
    from mlflow.entities import Run

SEARCH, TRIAL, PARAMS, PRUNED = "search", "trial", "search.params", "search.pruned"
COST, EXCLUDED = "search.cost", "search.excluded"
"""Tags of a trial. It has no tag `seed`, so it is not a run of its experiment."""

_ENDED = {"finished", "pruned", "slow", "refused"}
_LONGEST = 1000
"""Characters of a reason, as MLflow limits the length of tags."""


class TrialRuns:
    """Trials of one search."""

    def __init__(self, registry: Registry, token: str, metric: str) -> None:
        """Read and write trials.

        Args:
            registry: The runs of all experiments.
            token: Identifies the search.
            metric: Name of the validation score in MLflow.
        """
        self._registry = registry
        self._token = token
        self._metric = metric
        self._ended: dict[str, Trial] = {}

    def all(self) -> list[Trial]:
        """Every trial, by number."""
        found = self._registry.search(f"tags.{SEARCH} = '{self._token}'")
        return sorted(map(self._described, found), key=lambda trial: trial.number)

    def create(self, name: str, number: int, params: Mapping[str, Any], results: Path) -> Trial:
        """Create the run of a new trial, as scheduled."""
        tags = {
            EXPERIMENT: name,
            SEARCH: self._token,
            TRIAL: str(number),
            PARAMS: json.dumps(params),
            RESULTS: str(results),
        }
        run_id = self._registry.create(f"{name} trial={number}", tags)
        return Trial(number=number, run_id=run_id, params=params, results=results)

    def scores(self, run_id: str) -> dict[int, float]:
        """Validation scores of a run by training step; a repeated validation replaces the first."""
        points = self._registry.history(run_id, self._metric)
        return {each.step: each.value for each in sorted(points, key=lambda each: each.timestamp)}

    def mark_pruned(self, trial: Trial) -> None:
        """Note that a trial is stopped early, before it is: it must not be continued."""
        self._registry.tag(trial.run_id, {PRUNED: "true"})

    def note_cost(self, trial: Trial, cost: Cost) -> None:
        """Keep what the detector of a trial costs, so that it is not measured again."""
        self._registry.tag(trial.run_id, {COST: cost.model_dump_json()})

    def exclude(self, trial: Trial, reason: str) -> None:
        """End a trial without training it."""
        self._registry.tag(trial.run_id, {EXCLUDED: reason[:_LONGEST]})
        self.end(trial, "KILLED")

    def end(self, trial: Trial, status: str) -> None:
        """Give a run its final status, unless it is finished."""
        if self._registry.run(trial.run_id).status not in {status, "FINISHED"}:
            self._registry.set_status(trial.run_id, status)

    def _described(self, run: "Run") -> Trial:
        run_id, tags = run.info.run_id, run.data.tags
        if run_id in self._ended:
            return self._ended[run_id]
        scores = self.scores(run_id)
        ended_ms = run.info.end_time
        trial = Trial(
            number=int(tags[TRIAL]),
            run_id=run_id,
            params=json.loads(tags[PARAMS]),
            results=Path(tags[RESULTS]),
            state=_state(run, bool(scores)),
            scores=scores,
            seconds=None if ended_ms is None else (ended_ms - run.info.start_time) / 1000,
            cost=Cost.model_validate_json(tags[COST]) if COST in tags else None,
            reason=tags.get(EXCLUDED, ""),
        )
        if trial.state in _ENDED:
            self._ended[run_id] = trial
        return trial


def _state(run: "Run", has_scores: bool) -> State:  # noqa: FBT001
    status, tags = run.info.status, run.data.tags
    if EXCLUDED in tags:
        return "slow" if COST in tags else "refused"
    if status == "FINISHED":  # one that ended before it could be stopped counts in full
        return "finished" if has_scores else "failed"
    if PRUNED in tags:
        return "pruned"
    return "failed" if status == "FAILED" else "open"
