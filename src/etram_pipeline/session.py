"""Kedro's session, with errors that say in one line what the user can put right."""

import gc
import re
import signal
import sys
import threading
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack, chdir, contextmanager
from pathlib import Path
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.context import KedroContext
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import CatalogProtocol, DatasetError
from kedro.validation import ModelInstantiationError, ParameterValidationError
from kedro.validation.type_extractor import TypeExtractor
from pydantic import BaseModel, ValidationError
from typing_extensions import override

from etram_pipeline.builds.executors import kept_open
from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import EtramError
from etram_pipeline.core.faults import faults
from etram_pipeline.core.files import is_out_of_space
from etram_pipeline.node_selection import check_selection
from etram_pipeline.yaml_files import ConfigurationError

PATH_PARAMETERS = ("recording", "checkpoint", "train.start_from")
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
"""How Kedro begins what it says of an entry, over several lines."""


class Context(KedroContext):
    """Kedro's context, which tells faults of parameters in plain words."""

    @property
    @override
    def params(self) -> dict[str, Any]:
        """Parameters as typed settings.

        Raises:
            ConfigurationError: With a line for each wrong value, also of parameters that were named
                at run time, but which no chosen pipeline reads.
        """
        unread = set(self._runtime_params or {}) - set(_types(self._pipelines_to_validate))
        if found := _faults(self.config_loader["parameters"], None, unread):
            raise ConfigurationError("\n".join(found))
        try:
            params: dict[str, Any] = super().params
        except ParameterValidationError as error:
            found = _faults(self.config_loader["parameters"], self._pipelines_to_validate)
            raise ConfigurationError("\n".join(found) or str(error)) from error
        return params

    @override
    def _get_catalog(self, *args: Any, **options: Any) -> CatalogProtocol[Any, Any]:
        load_versions = options.get("load_versions") or {}
        entries = self.config_loader["catalog"] if load_versions else {}
        for name in load_versions:
            if name not in entries:
                raise ConfigurationError(
                    f"--load-versions: {unknown_name('dataset', name, entries)}"
                )
            if not entries[name].get("versioned"):
                raise ConfigurationError(
                    f"--load-versions: the catalog keeps no versions of {name}; with `versioned: "
                    "true` there, it would"
                )
        return super()._get_catalog(*args, **options)


class HeldHook(ABC):
    """A hook that holds something of a run: the session takes it back, however the run ends.

    Kedro tells hooks neither of Ctrl-C nor of a run that another hook refuses.
    """

    @abstractmethod
    def let_go(self) -> None:
        """Give back what is held, if anything is."""


class Session(KedroSession):
    """A session whose `run` turns expected errors into messages without a traceback.

    It runs in the project folder, from whatever folder it is started. The traceback of a failed run
    is kept with its MLflow run.
    """

    @classmethod
    @override
    def create(cls, *args: Any, **options: Any) -> KedroSession:
        located = located_from(Path.cwd(), options.get("runtime_params") or {})
        return super().create(*args, **{**options, "runtime_params": located or None})

    @override
    def __enter__(self) -> "Session":
        return self

    @override
    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        names = options.get("pipeline_names") or ["__default__"]
        check_selection(names, options)
        try:
            with chdir(self._project_path), loading(), ended_in_order(), kept_open():
                outputs: dict[str, Any] = super().run(*args, **options)
        except Exception as error:
            if not _is_expected(error):
                raise  # a fault of the program, of which the traceback tells more
            raise click.ClickException(explain(error)) from error
        finally:
            with ExitStack() as held:  # gives back all, even if one of them fails
                for hook in self._hook_manager.get_plugins():
                    if isinstance(hook, HeldHook):
                        held.callback(hook.let_go)
        return outputs


def located_from(folder: Path, runtime: Mapping[str, Any]) -> dict[str, Any]:
    """Runtime parameters whose paths are absolute, seen from a folder."""
    found = dict(runtime)
    for name in PATH_PARAMETERS:
        *above, last = name.split(".")
        if not above:
            if found.get(last) is not None:
                found[last] = _located(folder, last, str(found[last]))
        elif isinstance(inner := found.get(above[0]), Mapping) and inner.get(last) is not None:
            found[above[0]] = {**inner, last: _located(folder, name, str(inner[last]))}
    return found


def _located(folder: Path, name: str, text: str) -> str:
    if not text.strip():
        raise ConfigurationError(f"`{name}` is empty: name a file or a folder")
    path = folder / Path(text).expanduser()
    # The last part stays as it is: a link is called otherwise than what it leads to.
    return str(path.resolve() if path.name == ".." else path.parent.resolve() / path.name)


@contextmanager
def loading() -> Iterator[None]:
    """Load libraries without garbage collection, until the first node runs.

    Loading creates a million objects, all of which stay; searching them for garbage would take a
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
def ended_in_order() -> Iterator[None]:
    """End a run on SIGTERM as on Ctrl-C, so that it also ends the processes it started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_expected(error: BaseException) -> bool:
    """Whether an error is one that the user can put right."""
    is_known = isinstance(error, _EXPECTED) and isinstance(_first_cause(error), _EXPECTED)
    return is_known or bool(_of_catalog(error)) or is_out_of_space(error)


def _first_cause(error: BaseException) -> BaseException:
    # An error of ours says all there is to say, whatever it was made of.
    while error.__cause__ is not None and not isinstance(error, EtramError):
        error = error.__cause__
    return error


def explain(error: BaseException) -> str:
    """What went wrong, without the wrapping that Kedro and pydantic add."""
    inner: BaseException | None = error
    while inner is not None:
        if isinstance(inner, EtramError):
            return str(inner)
        if told := _of_catalog(inner):
            return told
        if isinstance(inner, ValidationError):
            return "\n".join(faults(inner))
        inner = inner.__cause__
    told = ": ".join(line.strip() for line in str(error).splitlines() if line.strip())
    if is_out_of_space(error):
        return (
            f"a disk is full ({told[:_MOST_CHARACTERS]}): make room, or choose another folder by "
            "`--params data=…` or `--params results=…`, and run again; what is done is kept"
        )
    return told


def _of_catalog(error: BaseException) -> str:
    """What is wrong with an entry of the catalog; empty if an error is about something else."""
    entry = _CATALOG_ENTRY.search(str(error)) if isinstance(error, DatasetError) else None
    cause = error.__cause__
    if entry is None or isinstance(cause, EtramError):
        return ""
    if isinstance(cause, ValidationError):
        told = "; ".join(faults(cause))
    elif isinstance(cause, TypeError):
        told = re.sub(r"^\S*\(\) (got an )?", "", str(cause))
    else:
        lines = [line.strip() for line in str(error).splitlines()]
        told = " ".join(each for each in lines if each and not each.startswith(("An exc", "Hint")))
    return f"catalog, {entry[1]}: {told}"


def _types(names: Collection[str] | None) -> dict[str, Any]:
    """Classes of the parameters that pipelines read, by parameter; all pipelines by default."""
    chosen = {name: pipelines[name] for name in (pipelines if names is None else names)}
    found: dict[str, Any] = TypeExtractor(chosen).extract_types_from_pipelines()
    return found


def _faults(
    raw: Mapping[str, Any], names: Collection[str] | None, only: Collection[str] | None = None
) -> list[str]:
    found: list[str] = []
    for name, settings in _types(names).items():
        if name not in raw or (only is not None and name not in only):
            continue
        if isinstance(settings, type) and issubclass(settings, BaseModel):
            try:
                settings.model_validate(raw[name])
            except ValidationError as error:
                found += faults(error, name)
    return found
