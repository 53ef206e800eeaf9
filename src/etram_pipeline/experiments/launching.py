"""Launches experiments: finds which runs are still to be done, and has a launcher run them."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from etram_pipeline.experiments.definition import SEEDS, Experiment
from etram_pipeline.experiments.launchers import Tell, is_live, launcher, refresh
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import (
    DATA,
    ExperimentRun,
    Registry,
    definition,
    existing_registry,
    open_registry,
    require_mlflow,
)
from etram_pipeline.experiments.render import render
from etram_pipeline.experiments.standing import Board
from etram_pipeline.experiments.work import Data, Work, data_of, in_stages
from etram_pipeline.yaml_files import ConfigurationError

logger = logging.getLogger(__name__)


def launch(
    names: Sequence[str],
    seeds: Sequence[int] | None = None,
    on: str = "here",
    options: Mapping[str, Any] | None = None,
    project: Project | None = None,
    tell: Tell = logger.info,
) -> list[ExperimentRun]:
    """Run experiments, or continue them; runs that are finished are skipped.

    Args:
        names: Names of the experiments.
        seeds: Seeds to run; None: those of each experiment.
        on: The launcher: `here` or `slurm`.
        options: Options of the launcher, as on the command line.
        project: The project; None: that around the working directory.
        tell: Takes a line about each event.

    Returns:
        The run of each experiment and seed. `here` returns when they have ended.

    Raises:
        ConfigurationError: If an experiment is wrong, or experiments exclude each other.
        BusyError: If another launch has begun the same run.
        MlflowStoreError: If the MLflow store cannot be used.
        SystemExit: On Ctrl-C and SIGTERM; the same call continues.
    """
    project, runner = project or Project.find(), launcher(on)
    chosen = [_Chosen.find(project, name, seeds) for name in dict.fromkeys(names)]
    envs = dict.fromkeys(each.experiment.env for each in chosen)
    registries = {env: _registry(project, env) for env in envs}
    for registry in registries.values():
        refresh(registry, registry.runs())
    runs = {env: registry.runs() for env, registry in registries.items()}
    work = [_to_do(each, runs[each.experiment.env], tell) for each in chosen]
    stages = in_stages(each for each in work if each.seeds)
    if stages:
        runner.launch(stages, options or {}, tell)
        render(Board(project))
    return [run for each in chosen for run in _present(each, registries[each.experiment.env])]


def preview(
    names: Sequence[str],
    seeds: Sequence[int] | None = None,
    on: str = "here",
    options: Mapping[str, Any] | None = None,
    project: Project | None = None,
    tell: Tell = logger.info,
) -> str:
    """What `launch` would run; nothing is written.

    Args:
        names: As for `launch`.
        seeds: As for `launch`.
        on: As for `launch`.
        options: As for `launch`.
        project: As for `launch`.
        tell: Takes a line about each run that is skipped.
    """
    project, runner = project or Project.find(), launcher(on)
    work = []
    for each in [_Chosen.find(project, name, seeds) for name in dict.fromkeys(names)]:
        registry = existing_registry(project, each.experiment.env)
        work.append(_to_do(each, [] if registry is None else registry.runs(), tell))
    stages = in_stages(each for each in work if each.seeds)
    return runner.preview(stages, options or {}) if stages else ""


@dataclass(frozen=True)
class _Chosen:
    """An experiment and the seeds to run."""

    project: Project
    name: str
    experiment: Experiment
    seeds: tuple[int, ...]
    definitions: Mapping[int, str]
    data: Data

    @classmethod
    def find(cls, project: Project, name: str, seeds: Sequence[int] | None) -> "_Chosen":
        experiment = project.experiment(name)
        chosen = tuple(dict.fromkeys(experiment.seeds if seeds is None else seeds))
        if wrong := [seed for seed in chosen if not 0 <= seed < SEEDS]:
            raise ConfigurationError(f"seeds {wrong}: seeds are from 0 to {SEEDS - 1}")
        definitions = {seed: definition(project, experiment, seed) for seed in chosen}
        return cls(project, name, experiment, chosen, definitions, data_of(project, experiment))


def _registry(project: Project, env: str | None) -> Registry:
    require_mlflow(project, env)
    return open_registry(project, env)


def _to_do(chosen: _Chosen, runs: Sequence[ExperimentRun], tell: Tell) -> Work:
    """Runs that are neither finished nor going on."""
    live = [run for run in runs if is_live(run)]
    for run in live:
        if chosen.data.contradicts(run.tags.get(DATA, "")):
            raise ConfigurationError(
                f"{chosen.name} prepares other data in {chosen.data.folder} than {run.experiment} "
                f"seed={run.seed}, which is going on, reads there: wait until that run has ended, "
                "or set `data` in the `params` of one of them"
            )
    known: dict[int, ExperimentRun] = {}
    seeds = []
    for seed in chosen.seeds:
        own = [run for run in runs if (run.experiment, run.seed) == (chosen.name, seed)]
        current = next((run for run in own if run.definition == chosen.definitions[seed]), None)
        if going_on := [run for run in own if run in live]:
            state = going_on[0].status.lower()
            tell(f"{chosen.name} seed={seed}: skipped, another launch has it {state}")
        elif current is not None and current.status == "FINISHED":
            tell(f"{chosen.name} seed={seed}: skipped, finished already{_gone(current)}")
        else:
            seeds.append(seed)
            if current is not None:
                known[seed] = current
                tell(f"{chosen.name} seed={seed}: continues, was {current.status.lower()}")
            elif own:
                tell(f"{chosen.name} seed={seed}: starts again, because its definition has changed")
    is_prepared = any(run.tags.get(DATA) == chosen.data.tag for run in live)
    return Work(
        chosen.project,
        chosen.name,
        chosen.experiment,
        chosen.data,
        tuple(seeds),
        known,
        is_prepared,
    )


def _gone(finished: ExperimentRun) -> str:
    """What to know about a run whose folder is not there."""
    if finished.results.is_dir():
        return ""
    return (
        f", although {finished.results} is not on this machine: to run it again, delete MLflow run "
        f"{finished.run_id}"
    )


def _present(chosen: _Chosen, registry: Registry) -> Iterator[ExperimentRun]:
    """The newest run of each seed with the present definition."""
    runs = registry.runs([chosen.name])
    for seed, wanted in chosen.definitions.items():
        yield from [run for run in runs if run.seed == seed and run.definition == wanted][:1]
