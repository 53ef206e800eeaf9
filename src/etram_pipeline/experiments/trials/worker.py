"""Runs the trials of a search on this machine."""

import logging
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import duration
from etram_pipeline.core.errors import EtramError
from etram_pipeline.experiments.child import Child, Stop
from etram_pipeline.experiments.queue import RUN_LOG, WIDE
from etram_pipeline.experiments.trials.claims import Claim, claim_trial
from etram_pipeline.experiments.trials.cost import Cost, Measurement
from etram_pipeline.experiments.trials.plan import MEASURED, Search
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.sampling import UNPRUNED, is_hopeless
from etram_pipeline.experiments.trials.trial import Trial, best_trial, values_text
from etram_pipeline.mlflow_logging.run_log import RUN_ID
from etram_pipeline.mlflow_logging.store import StoreUnavailableError

logger = logging.getLogger(__name__)

_POLL_S = 1.0
_MOST_FAILURES = 3


class TrialsFailedError(EtramError):
    """Trials fail one after another."""


class WorkOptions(Settings):
    """How much to run.

    Attributes:
        trials: Trials in total, those of earlier calls included; None: all combinations.
        workers: Trials at the same time.
        hours: Time after the start of a worker after which it begins no trial; None: without
            limit. A job that is queued again counts it anew.
        prune: Whether trials that fall behind are stopped early.
    """

    trials: int | None = None
    workers: int = 1
    hours: float | None = None
    prune: bool = True


@dataclass
class _Active:
    claim: Claim
    trial: Trial
    child: Child
    is_measuring: bool
    num_scores: int = 0
    is_pruned: bool = False


class Worker:
    """Runs trials until none is left, or until it is stopped."""

    def __init__(
        self,
        search: Search,
        runs: TrialRuns,
        options: WorkOptions,
        tell: Callable[[str], None],
    ) -> None:
        """Run the trials of a search.

        Args:
            search: The search.
            runs: Its trials.
            options: How much to run.
            tell: Takes a line about each trial.
        """
        self._search = search
        self._runs = runs
        self._options = options
        self._tell = tell
        self._active: list[_Active] = []
        self._failures = 0
        hours = options.hours
        self._deadline = None if hours is None else time.monotonic() + hours * 3600
        # A grid is tried in full, so that every combination has its score.
        self._prunes = options.prune and options.trials is not None

    def work(self, stop: Stop) -> None:
        """Run trials.

        Raises:
            TrialsFailedError: If several trials fail in a row.
        """
        try:
            while not stop.times:
                self._fill(stop)
                if not self._active:
                    return
                stop.wait(_POLL_S)
                self._look()
                if self._failures >= _MOST_FAILURES:
                    raise TrialsFailedError(
                        f"{self._failures} trials in a row failed; the reason is at the end of "
                        f"{self._search.folder}/trial_*/{RUN_LOG}"
                    )
        finally:
            self._end(stop)

    def _fill(self, stop: Stop) -> None:
        while len(self._active) < self._options.workers and not stop.times:
            if self._deadline is not None and time.monotonic() > self._deadline:
                return
            own = [each.trial.run_id for each in self._active]
            claim = claim_trial(self._search, self._runs, self._options.trials, own)
            if claim is None:
                return
            self._start(claim)

    def _start(self, claim: Claim) -> None:
        trial, search = claim.trial, self._search
        if reason := self._too_slow(trial.cost):  # interrupted after it was measured
            self._exclude(claim, reason)
            return
        is_measuring = search.is_measured and trial.cost is None
        command = search.measuring(trial) if is_measuring else search.process(trial)
        verb = "continues" if claim.is_continued else "begins"
        self._tell(f"trial {trial.number} {verb}: {values_text(trial.params)}")
        self._active.append(_Active(claim, trial, self._child(claim, command), is_measuring))

    def _child(self, claim: Claim, command: list[str]) -> Child:
        trial = claim.trial
        variables = {RUN_ID: trial.run_id, **WIDE}
        log = trial.results / RUN_LOG
        return Child(command, self._search.project.path, log, variables, claim.shared)

    def _look(self) -> None:
        for active in list(self._active):
            code = active.child.code()
            if code == 0 and active.is_measuring:
                self._decide(active)
            elif code is not None:
                self._finish(active, code)
            elif self._prunes and not active.is_pruned and not active.is_measuring:
                self._prune(active)

    def _decide(self, active: _Active) -> None:
        """Train a trial that was measured, unless it is too slow or cannot be made."""
        trial, search = active.trial, self._search
        measured = Measurement.model_validate_json((trial.results / MEASURED).read_bytes())
        cost = measured.cost
        if cost is not None:
            self._runs.note_cost(trial, cost)
            self._tell(f"trial {trial.number}: {cost}, {cost.parameters:_} parameters")
        if reason := measured.refusal or self._too_slow(cost):
            self._exclude(active.claim, reason)
            self._active.remove(active)
            return
        active.child = self._child(active.claim, search.process(trial))
        active.is_measuring = False

    def _too_slow(self, cost: Cost | None) -> str:
        """Why the limit leaves out a detector; empty if it does not."""
        limit = self._search.experiment.limit
        if cost is None or limit is None or cost.ms_per_window <= limit.ms_per_window:
            return ""
        return f"{cost.ms_per_window:.1f} ms per window, the limit is {limit.ms_per_window:g}"

    def _exclude(self, claim: Claim, reason: str) -> None:
        self._runs.exclude(claim.trial, reason)
        claim.release()
        self._failures = 0
        self._tell(f"trial {claim.trial.number} is not trained: {reason}")

    def _prune(self, active: _Active) -> None:
        """Stop a trial that has a new score and falls behind."""
        trial, search = active.trial, self._search
        try:
            scores = self._runs.scores(trial.run_id)
            if len(scores) == active.num_scores or max(scores) >= search.max_steps(trial):
                return  # after the last validation, only the detector is still written
            active.num_scores = len(scores)
            trials = self._runs.all()
            now = next(each for each in trials if each.run_id == trial.run_id)
            if not is_hopeless(search.experiment.search, trials, now, search.monitor):
                return
            self._runs.mark_pruned(trial)
        except StoreUnavailableError as error:
            logger.warning("trial %d cannot be compared with others: %s", trial.number, error)
            return
        active.is_pruned = True
        active.child.stop()

    def _finish(self, active: _Active, code: int, *, is_stopped: bool = False) -> None:
        trial = active.trial
        was_stopped = active.is_pruned or is_stopped
        status = (
            "FINISHED"
            if code == 0 and not active.is_measuring
            else "KILLED"
            if was_stopped
            else "FAILED"
        )
        active.claim.release()
        self._active.remove(active)
        self._runs.end(trial, status)
        trials = self._runs.all()
        now = next(each for each in trials if each.run_id == trial.run_id)
        self._failures = self._failures + 1 if now.state == "failed" else 0
        self._tell(self._outcome(now, trials, active.child, code))

    def _outcome(self, trial: Trial, trials: list[Trial], child: Child, code: int) -> str:
        monitor = self._search.monitor
        score, best = trial.best(monitor), best_trial(trials, monitor)
        took = duration(time.monotonic() - child.started)
        if trial.state == "open":
            return f"trial {trial.number} is interrupted; the same command continues it"
        if trial.state == "failed":
            reason = f"its exit code is {code}" if code else f"it has no {monitor.name}"
            return f"trial {trial.number} failed, {reason} ({child.log}):\n{child.error()}"
        if trial.state == "pruned":
            step = max(trial.scores or {0: 0.0})
            return f"trial {trial.number} was stopped at step {step}, with {score:.4f}, in {took}"
        leader = f"; best so far: {best.best(monitor):.4f}, trial {best.number}" if best else ""
        return f"trial {trial.number}: {monitor.name} {score:.4f} in {took}{leader}"

    def _end(self, stop: Stop) -> None:
        """End all trials in order; at a second signal, immediately."""
        if not stop.times:
            for active in self._active:
                active.child.stop()
        while self._active:
            stop.pass_on([active.child for active in self._active])
            for active in list(self._active):
                code = active.child.code()
                if code is not None:
                    with suppress(StoreUnavailableError):  # the trial can be continued later
                        self._finish(active, code, is_stopped=True)
            if self._active:
                stop.wait(_POLL_S)


def pruning_note(search: Search, options: WorkOptions) -> str:
    """Why trials will not be stopped early; empty if they can be."""
    if not options.prune:
        return ""
    if options.trials is None:
        return "every combination is trained to its end, so that all have their scores"
    if search.num_validations < 2:  # noqa: PLR2004  # only the last one is left
        return (
            "no trial can be stopped early: each training is validated once, at its end; lower "
            f"train.validation.every_steps ({search.train.validation.every_steps})"
        )
    if options.trials <= UNPRUNED:
        return f"no trial can be stopped early before {UNPRUNED} have finished"
    return ""
