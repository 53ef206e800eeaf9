"""Kedro's session, with errors that say in one line what the user can put right."""

import re
import signal
import sys
import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.config import MissingConfigException
from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DatasetError
from kedro.validation import ModelInstantiationError, ParameterValidationError
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import EtramError
from etram_pipeline.sequences.executors import kept_open

_EXPECTED = (
    EtramError,
    DatasetError,
    ParameterValidationError,
    MissingConfigException,
    OSError,
    ValidationError,
    ModelInstantiationError,
)

_PYDANTIC_ASIDE = re.compile(r" \[type=.*\]$|\n *For further information visit .*$", re.MULTILINE)
_PYDANTIC_FOUND = re.compile(
    r" \[type=(?!value_error|missing)\w+, input_value=(.*), input_type=\w+\]$", re.MULTILINE
)
_PYDANTIC_LIST = "a valid tuple"
_PYDANTIC_MAPPING = re.compile(r"a valid dictionary or instance of \w+")


class Session(KedroSession):
    """A session whose `run` turns expected errors into messages without a traceback.

    The traceback of a failed run is kept with its MLflow run.
    """

    @override
    def __enter__(self) -> "Session":
        return self

    @override
    def run(self, *args: Any, **options: Any) -> dict[str, Any]:
        names = options.get("pipeline_names") or ["__default__"]
        _check_pipelines(names)
        try:
            with ended_in_order(), kept_open():
                outputs: dict[str, Any] = super().run(*args, **options)
        except _EXPECTED as error:
            if not isinstance(_first_cause(error), _EXPECTED):
                raise  # a fault of the program, of which the traceback tells more
            raise click.ClickException(explain(error)) from error
        return outputs


@contextmanager
def ended_in_order() -> Iterator[None]:
    """Let a run that is told to end do so as after Ctrl-C, ending what it started elsewhere."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, lambda number, _frame: sys.exit(128 + number))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


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
        inner = inner.__cause__
    told = _PYDANTIC_FOUND.sub(r", not \1", str(error)).replace(_PYDANTIC_LIST, "a list")
    told = _PYDANTIC_MAPPING.sub("a mapping", told)
    return _PYDANTIC_ASIDE.sub("", told).replace("Value error, ", "")


def _check_pipelines(names: Collection[str]) -> None:
    for name in names:
        if name not in pipelines:
            raise click.ClickException(unknown_name("pipeline", name, list(pipelines)))
