"""What a search computes: its experiment, its score and its folder."""

import fcntl
import json
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.locks import lock
from etram_pipeline.core.mappings import flatten, merge
from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.experiments.command import executable, trial_command, tried_parameters
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.experiments.project import Project
from etram_pipeline.experiments.registry import require_mlflow
from etram_pipeline.experiments.trials.cost import Job
from etram_pipeline.experiments.trials.space import contains
from etram_pipeline.experiments.trials.trial import Trial
from etram_pipeline.experiments.validation import nested, searched_keys
from etram_pipeline.parameter_types import parameter_types
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.yaml_files import ConfigurationError

FOLDER = "search"
"""Folder of a search, in that of its experiment."""

MEASURED = "measured.json"
"""File in the folder of a trial: a `Measurement` of its detector."""

_BEGUN, _LOCK = "search.json", ".claims.lock"
_FIXED = ("train.seed", "train.validation.protocol")
_TRAINED = ("train", "detector")


@dataclass(frozen=True)
class Search:
    """A search for better parameters of an experiment.

    Attributes:
        name: Name of the experiment.
        experiment: The experiment.
        project: Its project.
        folder: Folder of its trials and its report.
        monitor: The validation score.
        train: Settings of a training, before a trial changes them.
        own: The experiment's own values, which the first trial has; None: they are out of range.
        token: Identifies the search in MLflow.
    """

    name: str
    experiment: Experiment
    project: Project
    folder: Path
    monitor: Monitor
    train: TrainSettings
    own: dict[str, Any] | None
    token: str

    def command(self, trial: Trial) -> list[str]:
        """The command of a trial."""
        return trial_command(self.experiment, trial.params, self.project.written(trial.results))

    def process(self, trial: Trial) -> list[str]:
        """The same command for a subprocess."""
        return executable(self.command(trial))

    @property
    def is_measured(self) -> bool:
        """Whether the detector of each trial is measured: trials of one detector need not be."""
        experiment = self.experiment
        changed = (key.partition(".")[0] == "detector" for key in experiment.search)
        return experiment.limit is not None or any(changed)

    def measuring(self, trial: Trial) -> list[str]:
        """The command that measures the detector of a trial, for a subprocess."""
        return Job(
            project=self.project.path,
            env=self.experiment.env,
            params=tried_parameters(self.experiment, trial.params),
            result=trial.results / MEASURED,
        ).command

    def max_steps(self, trial: Trial) -> int:
        """Steps of the training of a trial."""
        return int(trial.params.get("train.max_steps", self.train.max_steps))

    @property
    def num_validations(self) -> int:
        """Validations in the training of a trial, before a trial changes the settings."""
        return -(-self.train.max_steps // self.train.validation.every_steps)


def plan_search(project: Project, name: str) -> Search:
    """The search that an experiment describes, begun now or earlier.

    Raises:
        ConfigurationError: If it describes none, if a parameter cannot be searched, if the search
            was begun with other settings, or if logging to MLflow is turned off.
    """
    experiment = project.experiment(name)
    require_mlflow(project, experiment.env)
    if not experiment.search:
        raise ConfigurationError(
            f"the experiment {name} has nothing to search: add ranges under `search`, such as "
            "train.optimizer.learning_rate: {low: 1.0e-4, high: 1.0e-2, log: true}"
        )
    for key in searched_keys(experiment):
        _check_key(name, key)
    raw = project.loader(experiment.env, nested(experiment.parameters))["parameters"]
    train = TrainSettings.model_validate(raw["train"])
    protocol = resolve_protocol(train.validation.protocol)
    value = protocol.monitored
    monitor = Monitor(metric_name("val", protocol.name, value.name), value.mode)
    folder = project.folder(name, experiment.env) / FOLDER
    content = {
        "env": experiment.env,
        "seed": experiment.seeds[0],
        "metric": monitor.name,
        "parameters": experiment.parameters,
        "search": {key: tried.model_dump() for key, tried in experiment.search.items()},
        "limit": None if experiment.limit is None else experiment.limit.model_dump(),
    }
    with alone(folder):
        token = _begin(name, folder / _BEGUN, content)
    own = _own_values(experiment, raw)
    return Search(name, experiment, project, folder, monitor, train, own, token)


def _own_values(experiment: Experiment, raw: Mapping[str, Any]) -> dict[str, Any] | None:
    values: dict[str, Any] = {}
    for name in _TRAINED:
        values |= flatten(parameter_types()[name].model_validate(raw[name]), name)
    own: dict[str, Any] = {}
    for key, tried in experiment.search.items():
        if tried.choices is None:
            found = [values[key]] if key in values and contains(tried, values[key]) else []
        else:
            found = [choice for choice in tried.choices if _changes_nothing(raw, key, choice)]
        if not found:
            return None
        own[key] = found[0]
    return own


def _changes_nothing(raw: Mapping[str, Any], key: str, choice: object) -> bool:
    name = key.partition(".")[0]
    settings = parameter_types()[name]
    chosen = merge(raw, nested({key: choice}))
    return bool(settings.model_validate(chosen[name]) == settings.model_validate(raw[name]))


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the lock of a search, after waiting for the workers that have it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / _LOCK).open("a") as file:
        lock(file, fcntl.LOCK_EX)
        yield


def _check_key(name: str, key: str) -> None:
    if key in _FIXED or key.startswith("train.validation.protocol."):
        raise ConfigurationError(
            f"the experiment {name} cannot search {key}: it decides how trials are compared, so it "
            "must be the same for all of them"
        )
    if key.partition(".")[0] not in _TRAINED:
        raise ConfigurationError(
            f"the experiment {name} cannot search {key}: a trial only trains a detector, which "
            f"depends on {' and '.join(_TRAINED)}"
        )


def _begin(name: str, path: Path, content: dict[str, Any]) -> str:
    """Token of the search; a file keeps it with the settings of the search."""
    content = json.loads(json.dumps(content))
    if not path.exists():
        token = secrets.token_hex(8)
        with written_whole(path) as partial:
            partial.write_text(json.dumps({"token": token, **content}, indent=1))
        return token
    try:
        begun = json.loads(path.read_text())
        token = str(begun.pop("token"))
    except (ValueError, LookupError) as error:
        raise ConfigurationError(f"{path} is damaged: {_new_search(name, path)}") from error
    changed = [key for key, value in content.items() if begun.get(key) != value]
    if changed:
        raise ConfigurationError(
            f"the search of {name} was begun with other values of {', '.join(changed)} (see "
            f"{path}), and scores of different searches cannot be compared: undo the change, give "
            f"the changed experiment another name, or {_new_search(name, path)}"
        )
    return token


def _new_search(name: str, path: Path) -> str:
    return f"delete {path.parent} to begin a new search of {name}"
