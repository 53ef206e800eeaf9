"""The project whose experiments are run: its folders, its configuration and its MLflow store."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project
from pydantic import ValidationError

from etram_pipeline.configuration import ConfigLoader
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.experiments.definition import Experiment
from etram_pipeline.mlflow_logging.store import MlflowSettings, store_uri
from etram_pipeline.yaml_files import ConfigurationError, read_yaml

FOLDER = "09_experiments"
"""Folder of all experiments, in the data folder of their environment."""


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
        return sorted(path.stem for path in self.definitions.glob("*.yml"))

    def experiment(self, name: str) -> Experiment:
        """The experiment of that name.

        Raises:
            ConfigurationError: If there is none, or its file is wrong; with a line for each fault.
        """
        if name not in self.names():
            message = unknown_name("experiment", name, self.names())
            raise ConfigurationError(
                f"{self.definitions}: {message}; `kedro experiments new {name}` writes a new one"
            )
        path = self.definitions / f"{name}.yml"
        try:
            return Experiment.model_validate(read_yaml(path))
        except ValidationError as error:
            faults = "\n".join(describe_errors(error))
            raise ConfigurationError(f"{path}: {faults}") from error

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

    def folder(self, name: str, env: str | None) -> Path:
        """Folder of everything that belongs to an experiment."""
        return self.data(env) / FOLDER / name

    def store(self, env: str | None) -> tuple[str, str]:
        """Address of the MLflow store, and the name of the MLflow experiment."""
        settings = MlflowSettings.model_validate(self.loader(env)["mlflow"])
        return store_uri(settings, self.path), settings.experiment


@cache
def bootstrap(path: Path) -> None:
    """Load the project's pipelines, whose nodes know the types of all parameters."""
    from kedro.framework.startup import bootstrap_project

    bootstrap_project(path)
