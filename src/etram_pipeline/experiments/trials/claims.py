"""How workers share a search: they take trials one at a time, and lock each until it ends.

The operating system releases the lock of a worker that ends, however it ends, so another worker
can continue its trial. The training of a trial shares the lock, in case it outlives its worker.
"""

from collections.abc import Collection, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from etram_pipeline.core.errors import BusyError
from etram_pipeline.core.locks import Access, held
from etram_pipeline.experiments.trials.plan import Search, alone
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.sampling import suggest
from etram_pipeline.experiments.trials.space import combinations
from etram_pipeline.experiments.trials.trial import Trial


@dataclass(frozen=True)
class Claim:
    """A trial that this worker runs.

    Attributes:
        trial: The trial.
        shared: Numbers of the open files that hold the lock.
        is_continued: Whether an earlier worker began it.
    """

    trial: Trial
    shared: tuple[int, ...]
    is_continued: bool
    _lock: ExitStack

    def release(self) -> None:
        """Let others continue the trial, if it has not ended."""
        self._lock.close()


def claim_trial(
    search: Search, runs: TrialRuns, num_trials: int | None, own: Collection[str]
) -> Claim | None:
    """An interrupted trial or a new one; None if there is none to run.

    Args:
        search: The search.
        runs: Its trials.
        num_trials: Trials in total; None: one for each combination of values.
        own: Runs of the trials that this worker runs already.

    Raises:
        ConfigurationError: If Optuna is needed and not installed, or values cannot be listed.
    """
    with alone(search.folder):
        trials = runs.all()
        for trial in trials:
            if trial.state == "open" and trial.run_id not in own:
                claim = _hold(trial, is_continued=True)
                if claim is not None:
                    return claim
        params = _next_values(search, trials, num_trials)
        if params is None:
            return None
        number = 1 + max((trial.number for trial in trials), default=-1)
        results = search.folder / f"trial_{number}"
        return _hold(runs.create(search.name, number, params, results), is_continued=False)


def is_any_left(search: Search, runs: TrialRuns, num_trials: int | None) -> bool:
    """Whether a trial is still to be begun or continued."""
    trials = runs.all()
    if any(trial.state == "open" for trial in trials):
        return True
    return _next_values(search, trials, num_trials) is not None


def _next_values(
    search: Search, trials: Sequence[Trial], num_trials: int | None
) -> Mapping[str, Any] | None:
    """Values of a new trial; None if there is none to run."""
    ranges = search.experiment.search
    if num_trials is None:
        tried = [dict(trial.params) for trial in trials]
        return next((each for each in combinations(ranges) if each not in tried), None)
    if len(trials) >= num_trials:
        return None
    return suggest(ranges, trials, search.monitor) if trials or not search.own else search.own


def _hold(trial: Trial, *, is_continued: bool) -> Claim | None:
    with ExitStack() as stack:
        try:
            file = stack.enter_context(held(Access(trial.results, inside=True), "it runs there"))
        except BusyError:
            return None
        shared = () if file is None else (file.fileno(),)
        return Claim(trial, shared, is_continued, stack.pop_all())
