"""`kedro experiments search` as a function."""

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.locks import Access, held, is_held
from etram_pipeline.experiments.child import Stop, stopped_in_order
from etram_pipeline.experiments.launchers import Tell, is_live, launcher
from etram_pipeline.experiments.launchers.here import PREPARATION_LOG, make_data
from etram_pipeline.experiments.launching import launch
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import DATA, Registry, open_registry
from etram_pipeline.experiments.trials.claims import is_any_left
from etram_pipeline.experiments.trials.jobs import active_jobs, submit_workers
from etram_pipeline.experiments.trials.plan import Search, alone, plan_search
from etram_pipeline.experiments.trials.report import write_report
from etram_pipeline.experiments.trials.rerun import best_experiment, fresh_runs, write_best
from etram_pipeline.experiments.trials.runs import TrialRuns
from etram_pipeline.experiments.trials.sampling import load_optuna
from etram_pipeline.experiments.trials.space import combinations
from etram_pipeline.experiments.trials.trial import best_trial
from etram_pipeline.experiments.trials.worker import Worker, WorkOptions, pruning_note
from etram_pipeline.experiments.work import Data, Work, data_of
from etram_pipeline.mlflow_logging.run_entries import send_unsent
from etram_pipeline.mlflow_logging.run_log import UNSENT
from etram_pipeline.requeue import Requeue
from etram_pipeline.yaml_files import ConfigurationError

logger = logging.getLogger(__name__)


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
    on: str = "here",
    given: Mapping[str, Any] | None = None,
    project: Project | None = None,
    tell: Tell = logger.info,
) -> Path:
    """Search for better parameters of an experiment, or continue a search that was stopped.

    Args:
        name: Name of the experiment, whose file holds ranges under `search`.
        options: How much to run.
        on: The launcher: `here` runs the trials; `slurm` submits a job for each worker.
        given: Options of the launcher, as on the command line.
        project: The project; None: that around the working directory.
        tell: Takes a line about each event.

    Returns:
        The page of the report.

    Raises:
        ConfigurationError: If the experiment cannot be searched, or an option is wrong.
        PreparationError: If the data cannot be made.
        TrialsFailedError: If several trials fail in a row.
        SlurmError: If SLURM refuses a job.
        MlflowStoreError: If the MLflow store cannot be used.
        SystemExit: On Ctrl-C and SIGTERM; the same call continues.
    """
    project, options = project or Project.find(), options or SearchOptions()
    launcher(on)
    if on == "here" and given:
        raise ConfigurationError(f"{', '.join(given)}: only for `--on slurm`")
    found = plan_search(project, name)
    if options.trials is None:
        next(combinations(found.experiment.search))
    else:
        load_optuna()
    env = found.experiment.env
    registry = open_registry(project, env)
    send_unsent(registry.client, project.store(env)[0], project.path / UNSENT)
    runs = TrialRuns(registry, found.token, found.monitor.name)
    if note := pruning_note(found, options):
        tell(note)
    if on != "here" and is_any_left(found, runs, options.trials):
        _submit(found, options, given or {}, tell)
        return _report(found, runs, registry)
    _work(found, runs, registry, options, tell)
    page = _report(found, runs, registry)
    if options.rerun:
        _rerun(found, runs, partial(launch, on=on, options=given, tell=tell), tell)
        page = _report(found, runs, registry)
    return page


def _submit(search: Search, options: SearchOptions, given: Mapping[str, Any], tell: Tell) -> None:
    jobs = active_jobs(search)
    if jobs:
        tell(f"jobs {', '.join(jobs)} of this search have not ended")
    else:
        jobs = submit_workers(search, options, given)
        tell(f"submitted as jobs {', '.join(jobs)}; output in {search.folder}")
    tell("when they have ended, the same command launches the best values on fresh seeds")


def _work(
    search: Search, runs: TrialRuns, registry: Registry, options: SearchOptions, tell: Tell
) -> None:
    """Run trials here, until none is left.

    Raises:
        SystemExit: On a signal; a SLURM job is queued again before its time is over.
    """
    if not is_any_left(search, runs, options.trials):
        return
    with stopped_in_order() as stop, _prepared(search, registry, stop, tell):
        Worker(search, runs, options, tell).work(stop)
    if stop.times:
        _report(search, runs, registry)
        tell("the search was stopped; the same command continues it")
        try:
            raise SystemExit(128 + stop.signal)
        finally:
            Requeue().release()


@contextmanager
def _prepared(search: Search, registry: Registry, stop: Stop, tell: Tell) -> Iterator[None]:
    """Make the data of all trials, unless they are in use, and so are made already."""
    working = Access(search.folder / "workers", shared=True)
    data = data_of(search.project, search.experiment)
    with ExitStack() as stack:
        with alone(search.folder):
            working.lock.touch()
            others = is_held(Access(working.path))
            runs = [run for run in registry.runs() if run.tags.get(DATA) == data.tag]
            if not others and not any(map(is_live, runs)):
                _prepare(search, data, stop, tell)
            stack.enter_context(held(working, "wait until it has ended"))
        yield


def _prepare(search: Search, data: Data, stop: Stop, tell: Tell) -> None:
    log = search.folder / PREPARATION_LOG
    tell(f"prepares the data; output in {log}")
    work = Work(search.project, search.name, search.experiment, data, (), {})
    child = make_data(work, log, stop, tell)
    if child.code() and not stop.times:
        raise PreparationError(f"the data could not be made ({log}): {child.error()}")


def _report(search: Search, runs: TrialRuns, registry: Registry) -> Path:
    """Write the report of what there is now."""
    trials = runs.all()
    best = best_trial(trials, search.monitor)
    if best is None:
        return write_report(search, trials, [])
    experiment = best_experiment(search, best, len(trials))
    return write_report(search, trials, fresh_runs(search, experiment, registry))


def _rerun(search: Search, runs: TrialRuns, launched: Callable[..., object], tell: Tell) -> None:
    """Launch the best values on seeds that the search did not use, when all trials have ended."""
    trials = runs.all()
    best = best_trial(trials, search.monitor)
    going_on = [str(trial.number) for trial in trials if trial.state == "open"]
    if going_on:
        tell(
            f"trials {', '.join(going_on)} are going on elsewhere: when they have ended, the same "
            "command launches the best values on fresh seeds"
        )
    elif best is not None:
        path = write_best(search, best_experiment(search, best, len(trials)))
        tell(f"launches {path.stem}: the values of trial {best.number} on fresh seeds")
        launched([path.stem], project=search.project)
