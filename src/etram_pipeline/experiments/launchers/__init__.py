"""Launchers: what runs the commands of experiments. Each is one module, named by `--on`."""

import pkgutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any, Protocol, cast, runtime_checkable

from etram_pipeline.core.component import unknown_name
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
