"""What a comparison is asked to compare: experiments by name, and single runs of MLflow."""

from collections.abc import Sequence
from dataclasses import dataclass

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.counts import counted
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import (
    ExperimentRun,
    Registry,
    definition,
    existing_registry,
)
from etram_pipeline.yaml_files import ConfigurationError

_NAME = "mlflow.runName"
_LEAST_PREFIX = 4
_MOST_LISTED = 5


@dataclass(frozen=True)
class Contender:
    """An experiment or a single run, as MLflow has it.

    Attributes:
        name: Name of the experiment, or of the run.
        experiment: What the experiment is; None for a single run.
        env: Environment whose MLflow store has the runs.
        registry: That store.
        runs: Finished runs, one for each seed.
        left_out: Why other runs of the experiment are left out, one sentence each.
    """

    name: str
    experiment: Experiment | None
    env: str | None
    registry: Registry
    runs: tuple[ExperimentRun, ...]
    left_out: tuple[str, ...] = ()


def find_contenders(project: Project, names: Sequence[str], env: str | None) -> list[Contender]:
    """What each name means.

    Args:
        project: Where experiments are described.
        names: Names of experiments, ids of MLflow runs or the first characters of one, and names
            of MLflow runs.
        env: Environment in whose MLflow store single runs are looked up; None: that of the first
            experiment, or the default one.

    Raises:
        ConfigurationError: If a name means nothing, several runs or the same as another, or an
            experiment has no finished run.
        MlflowStoreError: If the MLflow store cannot be used.
    """
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise ConfigurationError(f"{', '.join(repeated)} is given twice: compare different runs")
    known = project.names()
    experiments = {name: project.described(name) for name in names if name in known}
    if env is None:
        env = next((experiment.env for experiment in experiments.values()), None)
    return [
        _of_experiment(project, name, experiments[name])
        if name in experiments
        else _of_run(project, name, env)
        for name in names
    ]


def _of_experiment(project: Project, name: str, experiment: Experiment) -> Contender:
    registry = existing_registry(project, experiment.env)
    runs = [] if registry is None else registry.runs([name])
    finished, left_out = [], []
    for seed in experiment.seeds:
        of_seed = [run for run in runs if run.seed == seed]
        wanted = definition(project, experiment, seed)
        newest = next((run for run in of_seed if run.definition == wanted), None)
        if newest is not None and newest.status == "FINISHED":
            finished.append(newest)
        else:
            left_out.append(_why_left_out(seed, newest, is_old=bool(of_seed)))
    if registry is None or not finished:
        raise ConfigurationError(
            f"experiment {name!r} has no finished run to compare: {'; '.join(left_out)}; run "
            f"`kedro experiments launch {name}`"
        )
    return Contender(name, experiment, experiment.env, registry, tuple(finished), tuple(left_out))


def _why_left_out(seed: int, newest: ExperimentRun | None, *, is_old: bool) -> str:
    if newest is not None:
        return f"seed {seed} is not finished, but {newest.status.lower()}"
    if is_old:
        return f"seed {seed} has only been run with former settings of the experiment"
    return f"seed {seed} has not been launched"


def _of_run(project: Project, name: str, env: str | None) -> Contender:
    registry = existing_registry(project, env)
    runs = [] if registry is None else registry.every_run()
    by_id = [run for run in runs if _is_prefix(name, run.run_id)]
    found = by_id or [run for run in runs if run.tags.get(_NAME) == name]
    if registry is None or not found:
        raise ConfigurationError(
            f"{unknown_name('experiment', name, project.names())}; no MLflow run has this name, "
            "or an id that begins with it"
        )
    if len(found) > 1:
        listed = ", ".join(f"{run.run_id} ({run.tags.get(_NAME)})" for run in found[:_MOST_LISTED])
        raise ConfigurationError(
            f"{name!r} means {counted(len(found), 'run')}: {listed}; give more of the id of one"
        )
    (run,) = found
    return Contender(run.tags.get(_NAME) or run.run_id[:8], None, env, registry, (run,))


def _is_prefix(text: str, run_id: str) -> bool:
    return len(text) >= _LEAST_PREFIX and run_id.startswith(text)
