"""Kedro's session, with one-line messages for errors that the user can fix."""

import gc
import re
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Any

import click
from kedro.config import AbstractConfigLoader, MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.project import settings
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from kedro.validation import ModelInstantiationError, ParameterValidationError
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.builds.executors import kept_open
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.files import is_out_of_space
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.node_selection import check_selection
from etram_pipeline.parameter_types import parameter_faults
from etram_pipeline.yaml_files import ConfigurationError

PATH_PARAMETERS = (
    *("recording", "preprocessed", "checkpoint", "detections", "detections_images", "site"),
    *("train.start_from", "detector.auxiliary.teacher"),
)
"""Runtime parameters that are paths: relative to the working directory, `~` the home folder."""

_EXPECTED = (
    EtramError,
    DatasetError,
    ParameterValidationError,
    MissingConfigException,
    OSError,
    ValidationError,
    ModelInstantiationError,
)


_MOST_CHARACTERS = 200

_CATALOG_ENTRY = re.compile(
    r"(?:config for dataset|^Dataset|instantiate dataset|^Catalog entry) '([^']+)'", re.MULTILINE
)
"""How Kedro begins its messages about an entry; it has no error class with the entry's name."""


class Context(KedroContext):
    """Kedro's context, with readable messages about parameters."""

    @property
    @override
    def params(self) -> dict[str, Any]:
        """Parameters as typed settings.

        Raises:
            ConfigurationError: With a line for each wrong value. Parameters of the command line are
                checked even if no chosen pipeline reads them.
        """
        raw = self.config_loader["parameters"]
        try:
            params: dict[str, Any] = super().params
        except ParameterValidationError as error:
            raise ConfigurationError("\n".join(parameter_faults(raw)) or str(error)) from error
        if found := parameter_faults(raw, only=getattr(self.config_loader, "runtime_params", {})):
            raise ConfigurationError("\n".join(found))
        return params


class ResourceHook(ABC):
    """A hook that holds resources of a run; the session releases them however the run ends.

    Kedro calls no hook after Ctrl-C, or if another hook refuses the run.
    """

    @abstractmethod
    def release(self) -> None:
        """Release what is held, if anything is."""


class Session(KedroSession):
    """A session whose `run` turns expected errors into messages without a traceback.

    It runs in the project folder, whatever the working directory is. The traceback of a failed run
    is logged with its MLflow run.
    """

    @classmethod
    @override
    def create(cls, *args: Any, **options: Any) -> KedroSession:
        located = with_absolute_paths(Path.cwd(), options.get("runtime_params") or {})
        return super().create(*args, **{**options, "runtime_params": located or None})

    _load_versions: Collection[str] = ()

    @override
    def __enter__(self) -> "Session":
        return self

    @override
    def load_context(self) -> KedroContext:
        context = super().load_context()
        _check_versions(self._load_versions, context.config_loader)
        return context

    @override
    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        self._load_versions = options.get("load_versions") or {}
        names = options.get("pipeline_names") or ["__default__"]
        check_selection(names, options)
        try:
            project = self.store["project_path"]
            with chdir(project), loading(), sigterm_exits(), kept_open():
                outputs: dict[str, Any] = super().run(*args, **options)
        except Exception as error:
            if not _is_expected(error):
                raise  # an internal error, for which the traceback is needed
            raise click.ClickException(explain(error)) from error
        finally:
            with ExitStack() as held:  # releases all, even if one of them fails
                for hook in settings.HOOKS:
                    if isinstance(hook, ResourceHook):
                        held.callback(hook.release)
        return outputs


def with_absolute_paths(folder: Path, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Runtime parameters with absolute paths; relative ones are taken from a folder."""
    found = dict(runtime)
    for name in PATH_PARAMETERS:
        found = _with_absolute_path(folder, found, name, name.split("."))
    return found


def _with_absolute_path(
    folder: Path, given: Mapping[str, Any], name: str, keys: Sequence[str]
) -> dict[str, Any]:
    """Nested parameters whose value of these keys, if any, is an absolute path."""
    key, *below = keys
    value = given.get(key)
    if not below and value is not None:
        return {**given, key: _located(folder, name, str(value))}
    if below and isinstance(value, Mapping):
        return {**given, key: _with_absolute_path(folder, value, name, below)}
    return dict(given)


def _located(folder: Path, name: str, text: str) -> str:
    if not text.strip():
        raise ConfigurationError(f"`{name}` is empty: name a file or a folder")
    path = folder / Path(text).expanduser()
    # The last part stays as it is: a link has a name of its own.
    return str(path.resolve() if path.name == ".." else path.parent.resolve() / path.name)


@contextmanager
def loading() -> Iterator[None]:
    """Load libraries without garbage collection, until the first node runs.

    Loading creates a million objects that all stay alive; searching them for garbage would take a
    fifth of the time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


@contextmanager
def sigterm_exits() -> Iterator[None]:
    """Turn SIGTERM and SIGUSR1 into `SystemExit`, so that a run also ends what it started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = (signal.SIGTERM, signal.SIGUSR1)
    before = {
        number: signal.signal(number, lambda number, _frame: sys.exit(128 + number))
        for number in numbers
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _is_expected(error: BaseException) -> bool:
    """Whether an error is one that the user can fix."""
    is_known = isinstance(error, _EXPECTED) and isinstance(_first_cause(error), _EXPECTED)
    return is_known or bool(_catalog_fault(error)) or is_out_of_space(error)


def _first_cause(error: BaseException) -> BaseException:
    # The message of our own errors is complete, whatever caused them.
    while error.__cause__ is not None and not isinstance(error, EtramError):
        error = error.__cause__
    return error


def explain(error: BaseException) -> str:
    """The cause of an error, without the text that Kedro and pydantic add."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, EtramError):
            return str(inner)
        if fault := _catalog_fault(inner):
            return fault
        if isinstance(inner, ValidationError):
            return "\n".join(describe_errors(inner))
        inner = inner.__cause__
    text = ": ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if is_out_of_space(error):
        return (
            f"a disk is full ({text[:_MOST_CHARACTERS]}): make room, or choose another folder with "
            "`--params data=…` or `--params results=…`, and run again; finished work is kept"
        )
    return text


def _catalog_fault(error: BaseException) -> str:
    """The fault of a catalog entry; empty if the error is about something else."""
    entry = _CATALOG_ENTRY.search(str(error)) if isinstance(error, DatasetError) else None
    cause = error.__cause__
    if entry is None or isinstance(cause, EtramError):
        return ""
    if isinstance(cause, ValidationError):
        fault = "; ".join(describe_errors(cause))
    elif isinstance(cause, TypeError):
        fault = re.sub(r"^\S*\(\) (got an )?", "", str(cause))
    else:
        lines = [line.strip() for line in str(error).splitlines()]
        kept = [each for each in lines if each and not each.startswith(("An exc", "Hint"))]
        fault = " ".join(kept)
    return f"catalog, {entry[1]}: {fault}"


def _check_versions(names: Collection[str], loader: AbstractConfigLoader) -> None:
    """Refuse `--load-versions` of datasets that have none.

    Raises:
        ConfigurationError: If a dataset does not exist, or the catalog keeps no versions of it.
    """
    entries = loader["catalog"] if names else {}
    for name in names:
        if name not in entries:
            raise ConfigurationError(f"--load-versions: {unknown_name('dataset', name, entries)}")
        if not entries[name].get("versioned"):
            raise ConfigurationError(
                f"--load-versions: the catalog keeps no versions of {name}; add `versioned: true` "
                "to its entry to keep them from now on"
            )
