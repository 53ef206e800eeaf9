"""Executors, which run jobs; one module per kind.

A run opens each executor once, on first use, because starting a cluster takes long.
"""

import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import BrokenExecutor, Executor, Future
from contextlib import AbstractContextManager, ExitStack, contextmanager
from typing import Any, ClassVar

from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.core.component import Component
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.machine import set_num_cores
from etram_pipeline.core.validation_errors import describe_errors


class ExecutorConfig(Component):
    """Where jobs run."""

    package: ClassVar[str] = __name__

    @abstractmethod
    def open(self) -> AbstractContextManager[Executor]:
        """Start the executor; leaving the block stops it, immediately after an error.

        Raises:
            ExecutorError: If it cannot be started.
        """


def read_executor(settings: Mapping[str, Any] | None) -> ExecutorConfig:
    """The executor of a catalog entry; by default, processes on this machine.

    Raises:
        SettingsError: If values are invalid; the message has a line for each.
    """
    try:
        return ExecutorConfig.model_validate(settings or {"kind": "processes"})
    except ValidationError as error:
        raise SettingsError("\n".join(describe_errors(error, "executor"))) from error


class InlineExecutor(Executor):
    """Runs each job when it is submitted, where a debugger can follow it."""

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # the future carries the error
            future.set_exception(error)
        return future


class _Kept:
    """Executors of the current run, by their settings."""

    def __init__(self) -> None:
        self.stack = ExitStack()
        self.executors: dict[str, Executor] = {}
        self.is_run = False

    def close(self) -> None:
        """Stop all executors; later requests start new ones."""
        self.executors.clear()
        self.stack.close()


_kept = _Kept()


@contextmanager
def kept_open() -> Iterator[None]:
    """Keep executors open and share them between builds until the block ends."""
    with ExitStack() as _kept.stack:
        _kept.is_run = True
        try:
            yield
        finally:
            _kept.is_run = False
            _kept.executors.clear()


def close_kept() -> None:
    """Stop the executors that are kept open."""
    _kept.close()


@contextmanager
def open_executor(config: ExecutorConfig) -> Iterator[Executor]:
    """An executor for one build; the first job starts it, since many builds have no jobs.

    Submitting a job raises an `ExecutorError` if the executor cannot be started.
    """
    if not _kept.is_run:
        with ExitStack() as stack:
            yield _StartedByUse(config, stack)
        return
    name = config.model_dump_json()
    yield _kept.executors.setdefault(name, _StartedByUse(config, _kept.stack))


class _StartedByUse(Executor):
    """An executor that is started when the first job is submitted."""

    def __init__(self, config: ExecutorConfig, stack: ExitStack) -> None:
        self._config = config
        self._stack = stack
        self._executor: Executor | None = None
        self._starting = threading.Lock()

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._starting:
            if self._executor is None:
                self._executor = self._stack.enter_context(self._config.open())
        return self._executor.submit(fn, *args, **kwargs)


def call_with_cores(cores: int, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever `fn` returns
    """Call `fn` in a process that may use a limited number of cores."""
    set_num_cores(cores)
    return fn(*args, **kwargs)


def worker_was_killed(error: BaseException | None) -> bool:
    """Whether a job was lost because the process it ran in was killed."""
    # Dask's error is recognised by its name, since Dask is optional.
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"
