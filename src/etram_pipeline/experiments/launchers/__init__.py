"""Launchers: what runs the commands of experiments. Each is one module, named by `--on`."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, TypeVar, cast, runtime_checkable

from pydantic import ValidationError

from etram_pipeline.core.component import Settings, unknown_name
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.experiments.registry import LAUNCHER, ExperimentRun, Registry
from etram_pipeline.experiments.work import Work
from etram_pipeline.yaml_files import ConfigurationError

Stages = Sequence[Sequence[Work]]
"""Work that may run side by side, one stage after the other."""

Options = Mapping[str, Any]
"""What the command line sets for a launcher."""

Tell = Callable[[str], None]
"""Takes a line for the user."""


@runtime_checkable
class Launcher(Protocol):
    """The functions that each module of this package has."""

    def preview(self, stages: Stages, options: Options) -> str:
        """What `launch` would run, as text."""

    def launch(self, stages: Stages, options: Options, tell: Tell) -> None:
        """Run the work of each stage: first its data, then its runs."""

    def refresh(self, registry: Registry, runs: Sequence[ExperimentRun]) -> None:
        """Give runs that are not finished the state of their process or job."""

    def is_live(self, run: ExperimentRun) -> bool:
        """Whether a run is running, or waits for its turn; `refresh` comes before."""


def launcher(name: str) -> Launcher:
    """The launcher of that name.

    Raises:
        ConfigurationError: If there is none.
    """
    if name not in launcher_names():
        raise ConfigurationError(f"--on: {unknown_name('launcher', name, launcher_names())}")
    return cast("Launcher", import_module(f"{__name__}.{name}"))


_Checked = TypeVar("_Checked", bound=Settings)


def checked_options(settings: type[_Checked], given: Options, on: str) -> _Checked:
    """Options of a launcher.

    Args:
        settings: What the launcher accepts.
        given: What the command line sets.
        on: Name of the launcher.

    Raises:
        ConfigurationError: If an option belongs to another launcher, or its value is wrong.
    """
    words = {name: f"--{name.replace('_', '-')}" for name in [*settings.model_fields, *given]}
    if foreign := [words[name] for name in given if name not in settings.model_fields]:
        known = ", ".join(words[name] for name in settings.model_fields)
        raise ConfigurationError(
            f"{foreign[0]} has no effect with `--on {on}`, which takes {known}"
        )
    try:
        return settings.model_validate(given)
    except ValidationError as error:
        raise ConfigurationError("\n".join(describe_errors(error))) from error


def launcher_names() -> list[str]:
    """Names of all launchers."""
    return [module.name for module in pkgutil.iter_modules(__path__)]


def refresh(registry: Registry, runs: Iterable[ExperimentRun]) -> None:
    """Give every run that is not finished the state of its process or job."""
    unfinished = [run for run in runs if run.status != "FINISHED"]
    for name in launcher_names():
        own = [run for run in unfinished if run.tags.get(LAUNCHER) == name]
        if own:
            launcher(name).refresh(registry, own)


def is_live(run: ExperimentRun) -> bool:
    """Whether a run is running, or waits for its turn; call `refresh` before."""
    name = run.tags.get(LAUNCHER, "")
    if run.status == "FINISHED" or name not in launcher_names():
        return False
    return launcher(name).is_live(run)
