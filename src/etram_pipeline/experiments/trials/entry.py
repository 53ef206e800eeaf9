"""`kedro experiments search` as a function."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from etram_pipeline.core.errors import EtramError
from etram_pipeline.experiments.command import executable, preparation
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import Registry, opened_registry
from etram_pipeline.experiments.trials.child import Child, Stop, stopped_in_order
from etram_pipeline.experiments.trials.plan import Search, alone, plan_search
from etram_pipeline.experiments.trials.report import write_report
from etram_pipeline.experiments.trials.rerun import best_experiment, fresh_runs
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.sampling import load_optuna
from etram_pipeline.experiments.trials.space import combinations
from etram_pipeline.experiments.trials.trial import Trial, best_trial
from etram_pipeline.experiments.trials.worker import Worker, WorkOptions, pruning_note
from etram_pipeline.mlflow_logging.run_entries import send_unsent
from etram_pipeline.mlflow_logging.run_log import UNSENT

logger = logging.getLogger(__name__)

_PREPARATION_LOG = "preprocess.log"
_POLL_S = 1.0


class PreparationError(EtramError):
    """The data of all trials could not be made."""


class SearchOptions(WorkOptions):
    """What a search does.

    Attributes:
        rerun: Whether the best values are then launched on seeds that the search did not use.
    """

    rerun: bool = True


def search(
    name: str,
    options: SearchOptions | None = None,
    project: Project | None = None,
    tell: Callable[[str], None] = logger.info,
) -> Path:
    """Search for better parameters of an experiment, or continue a search that was stopped.

    Args:
        name: Name of the experiment, whose file holds ranges under `search`.
        options: How much to run.
        project: The project; None: that around the working directory.
        tell: Takes a line about each trial.

    Returns:
        The page of the report.

    Raises:
        ConfigurationError: If the experiment cannot be searched.
        PreparationError: If the data cannot be made.
        TrialsFailedError: If several trials fail in a row.
        MlflowStoreError: If the MLflow store cannot be used.
        SystemExit: On Ctrl-C and SIGTERM; the same call continues.
    """
    project, options = project or Project.find(), options or SearchOptions()
    found = plan_search(project, name)
    if options.trials is None:
        next(combinations(found.experiment.search))
    else:
        load_optuna()
    uri, _ = project.store(found.experiment.env)
    with opened_registry(project, found.experiment.env) as registry:
        send_unsent(registry.client, uri, project.path / UNSENT)
        runs = TrialRuns(registry, found.token, found.monitor.name)
        if note := pruning_note(found, options):
            tell(note)
        with stopped_in_order() as stop:
            _prepare(found, stop, tell)
            Worker(found, runs, uri, options, tell).work(stop)
        trials = runs.all()
        page = _report(found, trials, registry)
        if stop.times:
            tell("the search was stopped; the same command continues it")
            raise SystemExit(128 + stop.signal)
        return page


def _prepare(search: Search, stop: Stop, tell: Callable[[str], None]) -> None:
    """Make the data of all trials; other workers wait, and then find it made."""
    log = search.folder / _PREPARATION_LOG
    with alone(search.folder):
        tell(f"preparing the data ({log})")
        command = executable(preparation(search.experiment))
        child = Child(command, search.project.path, log, {})
        asked = 0
        while (code := child.code()) is None:
            if stop.times > asked:
                asked = stop.times
                child.stop()
            stop.wait(_POLL_S)
    if code and not stop.times:
        raise PreparationError(f"the data could not be made ({log}):\n{child.last_lines()}")


def _report(search: Search, trials: Sequence[Trial], registry: Registry) -> Path:
    best = best_trial(trials, search.monitor)
    if best is None:
        return write_report(search, trials, [])
    experiment = best_experiment(search, best, len(trials))
    return write_report(search, trials, fresh_runs(search, experiment, registry))
