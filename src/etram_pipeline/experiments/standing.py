"""Where every run of some experiments stands."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pydantic import ValidationError

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.mappings import flatten
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.core.validation_errors import shown
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.launchers import refresh
from etram_pipeline.experiments.project import Project, bootstrap
from etram_pipeline.experiments.registry import (
    ExperimentRun,
    Registry,
    definition,
    existing_registry,
)
from etram_pipeline.experiments.results import last_line_of_traceback
from etram_pipeline.experiments.validation import metrics_of, nested
from etram_pipeline.parameter_types import parameter_types
from etram_pipeline.yaml_files import ConfigurationError

NOT_LAUNCHED, INVALID, OUTDATED = "not launched", "invalid", "out of date"
STATES = (NOT_LAUNCHED, "scheduled", "running", "finished", "failed", "killed", OUTDATED, INVALID)
"""States of a run, in the order in which it passes through them."""

ABSENT = "absent"
"""Stands for the value of a setting that an experiment does not have."""

_ABSENT = object()


@dataclass(frozen=True)
class Standing:
    """Where one run of an experiment stands.

    Attributes:
        experiment: Name of the experiment.
        seed: Its seed; None if the file of the experiment is invalid.
        run: The newest run of what the file describes, or else the newest run of the seed; None if
            it was never launched.
        state: One of `STATES`.
        problem: What is wrong, in one line; empty if nothing.
    """

    experiment: str
    seed: int | None
    run: ExperimentRun | None
    state: str
    problem: str = ""

    @property
    def is_finished(self) -> bool:
        """Whether its results are those of what the file describes now."""
        return self.state == "finished"


class Board:
    """All experiments of a project and their runs in MLflow.

    Attributes:
        project: The project.
        experiments: Experiments by name, without those whose files are invalid.
        faults: Faults of the invalid files, by name.
    """

    def __init__(self, project: Project) -> None:
        """Read the files of all experiments of `project`."""
        self.project = project
        self.experiments: dict[str, Experiment] = {}
        self.faults: dict[str, str] = {}
        self._registries: dict[str | None, Registry | None] = {}
        self._evaluated: dict[str, Evaluated | None] = {}
        bootstrap(project.path)
        for name in project.names():
            try:
                self.experiments[name] = project.described(name)
            except ConfigurationError as error:
                self.faults[name] = " ".join(str(error).split())

    def chosen(self, names: Iterable[str]) -> list[str]:
        """Some of the names, or all if there are none.

        Raises:
            ConfigurationError: If there is no experiment of a name.
        """
        known = sorted([*self.experiments, *self.faults])
        for name in names:
            if name not in known:
                raise ConfigurationError(unknown_name("experiment", name, known))
        return list(names) or known

    def check_metric(self, names: Iterable[str], metric: str) -> None:
        """Refuse a metric that none of the experiments can have.

        Raises:
            ConfigurationError: With the nearest metric that they have.
        """
        found = [each for name in names if (each := self.evaluated(name)) is not None]
        known = dict.fromkeys(name for each in found for name in each.metrics)
        if known and metric not in known:
            raise ConfigurationError(f"--metric: {unknown_name('metric', metric, list(known))}")

    def evaluated(self, name: str) -> "Evaluated | None":
        """What an experiment is evaluated by; None if its settings are invalid."""
        if name not in self._evaluated:
            self._evaluated[name] = None
            if name in self.experiments:
                # Invalid settings are reported when the experiment is launched.
                with suppress(ConfigurationError, ValidationError):
                    found = evaluation_of(self.project, self.experiments[name])
                    self._evaluated[name] = found
        return self._evaluated[name]

    @cached_property
    def standings(self) -> list[Standing]:
        """One for each seed of each experiment, in the order of the files."""
        found = [Standing(name, None, None, INVALID, fault) for name, fault in self.faults.items()]
        for name, experiment in self.experiments.items():
            found += self._of_experiment(name, experiment)
        return sorted(found, key=lambda each: (each.experiment, each.seed or 0))

    def finished(self, name: str) -> list[ExperimentRun]:
        """Finished runs of what the file of an experiment describes now, by seed."""
        return [
            each.run
            for each in self.standings
            if each.experiment == name and each.run and each.is_finished
        ]

    def registry(self, name: str) -> Registry | None:
        """MLflow runs of an experiment's environment; None if there has never been one."""
        env = self.experiments[name].env
        if env not in self._registries:
            self._registries[env] = existing_registry(self.project, env)
        return self._registries[env]

    @cached_property
    def _runs(self) -> Mapping[str, list[ExperimentRun]]:
        runs: dict[str, list[ExperimentRun]] = {name: [] for name in self.experiments}
        for env in {experiment.env for experiment in self.experiments.values()}:
            names = [name for name, each in self.experiments.items() if each.env == env]
            registry = self.registry(names[0])
            if registry is None:
                continue
            refresh(registry, registry.runs(names))
            for run in registry.runs(names):
                runs[run.experiment].append(run)
        return runs

    def _of_experiment(self, name: str, experiment: Experiment) -> Iterator[Standing]:
        runs = self._runs[name]
        for seed in sorted({*experiment.seeds, *(run.seed for run in runs)}):
            of_seed = [run for run in runs if run.seed == seed]
            if not of_seed:
                yield Standing(name, seed, None, NOT_LAUNCHED)
                continue
            try:
                wanted = definition(self.project, experiment, seed)
            except ConfigurationError as error:
                yield Standing(name, seed, of_seed[0], INVALID, " ".join(str(error).split()))
                continue
            current = [run for run in of_seed if run.definition == wanted]
            run = (current or of_seed)[0]
            if current:
                yield Standing(name, seed, run, run.status.lower(), self._problem(name, run))
            else:
                problem = f"its {run.status.lower()} run is of an earlier definition: launch again"
                yield Standing(name, seed, run, OUTDATED, problem)

    def _problem(self, name: str, run: ExperimentRun) -> str:
        registry = self.registry(name)
        if run.status != "FAILED" or registry is None:
            return ""
        return last_line_of_traceback(registry, run) or "no traceback: see the log of the run"


@dataclass(frozen=True)
class Evaluated:
    """What the runs of an experiment are evaluated by.

    Attributes:
        settings: Protocols and split.
        classes: Names of the classes that are detected.
    """

    settings: EvaluateSettings
    classes: tuple[str, ...]

    @property
    def protocol(self) -> str:
        """Name of the first protocol."""
        return self.settings.protocols[0].name

    @property
    def metrics(self) -> list[str]:
        """Names of the metrics of all protocols, without split and protocol."""
        return [
            name
            for protocol in self.settings.protocols
            for name in metrics_of(protocol, self.classes)
        ]

    def name(self, metric: str, protocol: str | None = None) -> str:
        """Name of a metric in MLflow."""
        return f"{metric_name(self.settings.split, protocol or self.protocol)}/{metric}"

    def is_higher_better(self, protocol: str, metric: str) -> bool:
        """Whether a larger value is better; it is if the metric is unknown."""
        for each in self.settings.protocols:
            if each.name == protocol:
                return metrics_of(each, self.classes).get(metric, True)
        return True


def evaluation_of(project: Project, experiment: Experiment) -> Evaluated:
    """What an experiment is evaluated by, as its file and the configuration say now.

    Raises:
        ConfigurationError: If its environment, preset or parameters do not exist.
        ValidationError: If the settings are invalid.
    """
    raw = project.loader(experiment.env, nested(experiment.parameters))["parameters"]
    return Evaluated(
        EvaluateSettings.model_validate(raw["evaluate"]),
        DatasetSettings.model_validate(raw["dataset"]).detected_classes,
    )


def differing_settings(board: Board, name: str) -> list[tuple[str, str, str]]:
    """Settings in which an experiment differs from the one that it should surpass.

    Without such an experiment, it is compared with its environment.

    Returns:
        Dotted key, value in the other one, and value in the experiment.
    """
    experiment = board.experiments[name]
    other = experiment.success and board.experiments.get(experiment.success.better_than)
    plain = Experiment(hypothesis="-", env=experiment.env)
    try:
        before, after = (_settings(board.project, each) for each in (other or plain, experiment))
    except (ConfigurationError, ValidationError):  # reported when it is launched
        return []
    changed = {
        key: (before.get(key, _ABSENT), after.get(key, _ABSENT)) for key in {*before, *after}
    }
    return [
        (key, _text(old), _text(new)) for key, (old, new) in sorted(changed.items()) if old != new
    ]


def _text(value: object) -> str:
    return ABSENT if value is _ABSENT else shown(value)


def _settings(project: Project, experiment: Experiment) -> dict[str, Any]:
    """All settings of an experiment with their defaults, by dotted key."""
    raw = project.loader(experiment.env, nested(experiment.parameters))["parameters"]
    types = parameter_types()
    return flatten({key: types[key].model_validate(raw[key]) for key in types if key in raw})
