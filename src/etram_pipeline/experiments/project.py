"""The project whose experiments are run: its folders, its configuration and its MLflow store."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project
from pydantic import ValidationError

from etram_pipeline.configuration import ConfigLoader, presets
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.mlflow_logging.store import MlflowSettings, store_uri
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

FOLDER = "09_experiments"
"""Folder of all experiments, in the data folder of their environment."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]*")


@dataclass(frozen=True)
class Project:
    """A project folder.

    Attributes:
        path: The folder, which holds `conf`.
    """

    path: Path

    @classmethod
    def find(cls) -> "Project":
        """The project around the working directory.

        Raises:
            ConfigurationError: If there is none.
        """
        found = find_kedro_project(Path.cwd())
        if found is None:
            raise ConfigurationError(f"{Path.cwd()} is not inside a project: change to its folder")
        return cls(Path(found))

    @property
    def definitions(self) -> Path:
        """Folder of the files that describe experiments."""
        return self.path / "conf" / "experiments"

    def names(self) -> list[str]:
        """Names of all experiments."""
        files = self.definitions.glob("*.yml")
        return sorted(path.stem for path in files if path.name[0] != ".")  # as editors make them

    def presets(self) -> list[str]:
        """Names of all presets."""
        return presets(self.path / "conf")

    def file(self, name: str) -> Path:
        """The file that describes an experiment."""
        return self.definitions / f"{name}.yml"

    def described(self, name: str) -> Experiment:
        """The experiment of that name, without checks against the configuration.

        Raises:
            ConfigurationError: If there is none, or its file is wrong; with a line for each fault.
        """
        experiment, faults = self._read(name)
        _refuse(self.file(name), faults)
        return experiment

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name, whose runs `kedro run` will accept.

        Raises:
            ConfigurationError: If there is none, or its file is wrong; with a line for each fault.
        """
        from etram_pipeline.experiments.validation import find_faults

        experiment, faults = self._read(name)
        bootstrap(self.path)
        _refuse(self.file(name), [*faults, *find_faults(self, name, experiment)])
        return experiment

    def _read(self, name: str) -> tuple[Experiment, list[str]]:
        """What a file describes without its wrong keys, and their faults."""
        if name not in self.names():
            message = unknown_name("experiment", name, self.names())
            raise ConfigurationError(
                f"{self.definitions}: {message}; `kedro experiments new {name}` writes a new one"
            )
        raw = read_yaml(self.file(name))
        faults = [fault] if (fault := name_fault(name)) else []
        try:
            return Experiment.model_validate(raw), faults
        except ValidationError as error:
            wrong = {str(each["loc"][0]) for each in error.errors() if each["loc"]}
            sound = {key: value for key, value in raw.items() if str(key) not in wrong}
            kept = Experiment.model_validate({"hypothesis": "-", **sound})
            return kept, [*faults, *describe_errors(error)]

    def loader(self, env: str | None, given: Mapping[str, Any] | None = None) -> ConfigLoader:
        """Kedro's configuration of an environment.

        Args:
            env: The environment; None: the default one.
            given: Parameters as on the command line, with nested keys.
        """
        from etram_pipeline.settings import CONFIG_LOADER_ARGS

        options: dict[str, Any] = dict(CONFIG_LOADER_ARGS)
        return ConfigLoader(str(self.path / "conf"), env, dict(given or {}), **options)

    def data(self, env: str | None) -> Path:
        """Data folder of an environment."""
        return self.path / Path(self.loader(env)["globals"]["data"]).expanduser()

    def written(self, path: Path) -> str:
        """A path as commands have it: inside the project, relative to its folder."""
        is_inside = path.is_relative_to(self.path)
        return str(path.relative_to(self.path) if is_inside else path)

    def folder(self, name: str, env: str | None) -> Path:
        """Folder of everything that belongs to an experiment."""
        return self.data(env) / FOLDER / name

    def store(self, env: str | None) -> tuple[str, str]:
        """Address of the MLflow store, and the name of the MLflow experiment."""
        settings = MlflowSettings.model_validate(self.loader(env)["mlflow"])
        return store_uri(settings, self.path), settings.experiment


def name_fault(name: str) -> str:
    """Why a text cannot be the name of an experiment; empty if it can."""
    if _NAME.fullmatch(name):
        return ""
    return (
        f"{name!r} cannot be the name of an experiment: use letters, digits, `_` and `-` only, "
        "beginning with a letter or a digit"
    )


def _refuse(path: Path, faults: Collection[str]) -> None:
    if faults:
        separator = "\n  " if len(faults) > 1 else " "
        raise ConfigurationError(separator.join([f"{path}:", *faults]))


@cache
def bootstrap(path: Path) -> None:
    """Load the project's pipelines, whose nodes know the types of all parameters."""
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(path)
