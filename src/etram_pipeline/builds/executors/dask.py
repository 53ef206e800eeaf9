"""Jobs on a Dask cluster: processes on this machine, or jobs of a batch system."""

import logging
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import ExitStack, contextmanager, suppress
from importlib import import_module
from inspect import signature
from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.builds.executors import ExecutorConfig, call_with_cores
from etram_pipeline.core.errors import ExecutorError
from etram_pipeline.core.machine import num_cores

logger = logging.getLogger(__name__)

_REPLACE_EVERY_S = 30.0

_DASK_SETTINGS = {
    "logging.distributed": "warning",
    "distributed.nanny.pre-spawn-environ.DASK_LOGGING__DISTRIBUTED": "warning",
    # A recording that kills two workers is tried once more, alone; see `builds.running`.
    "distributed.scheduler.allowed-failures": 1,
}


class Config(ExecutorConfig):
    """A Dask cluster, whose machines must share the project's folders.

    Attributes:
        cluster: Dotted name of the cluster class.
        workers: Number of worker processes, each of which processes one recording at a time. None:
            one for each core that this process may use.
        cores: Number of cores that a recording may use.
        options: Arguments of the cluster class; see its documentation.
    """

    kind: Literal["dask"]
    cluster: str = "dask.distributed.LocalCluster"
    workers: int | None = Field(default=None, ge=1)
    cores: int = Field(default=1, ge=1)
    options: dict[str, Any] = Field(default_factory=dict)

    @override
    @contextmanager
    def open(self) -> Iterator[Executor]:
        with ExitStack() as stack:
            yield self._start(stack)

    def _start(self, stack: ExitStack) -> Executor:
        try:
            import dask

            # Must precede the next import, which sets up the logging.
            dask.config.set(_DASK_SETTINGS)
            from dask.distributed import Client

            cluster_class = _find(self.cluster)
        except ModuleNotFoundError as error:
            raise ExecutorError(
                f"the executor `dask` with `cluster: {self.cluster}` needs the module "
                f"{error.name}: pip install -e '.[dask]'"
            ) from error
        _check_batch_system(cluster_class)
        num_workers = self.workers or num_cores()
        try:
            cluster = cluster_class(**self._arguments(cluster_class, num_workers))
            stack.callback(_close, cluster)
            cluster.sync(_started, cluster)
            client = stack.enter_context(Client(cluster))  # type: ignore[no-untyped-call]
        except (TypeError, ValueError, OSError, RuntimeError) as error:
            raise ExecutorError(
                f"{self.cluster} does not start with the options {self.options}: "
                f"{_first_cause(error)}"
            ) from error
        stack.enter_context(_replaced(cluster, num_workers))
        logger.info("started %s with %d workers", self.cluster, num_workers)
        return _Limited(client.get_executor(pure=False), self.cores)

    def _arguments(self, cluster_class: type, num_workers: int) -> dict[str, Any]:
        arguments: dict[str, Any] = {"n_workers": num_workers}
        if "threads_per_worker" in signature(cluster_class).parameters:
            arguments["threads_per_worker"] = 1
        return arguments | self.options


class _Limited(Executor):
    """Lets each job use only some cores of the machine it runs on."""

    def __init__(self, executor: Executor, cores: int) -> None:
        self._executor = executor
        self._cores = cores

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        return self._executor.submit(call_with_cores, self._cores, fn, *args, **kwargs)


async def _started(cluster: Any) -> None:  # noqa: ANN401  # of a library that is not typed
    """Wait until workers are started or submitted, because errors would be lost otherwise."""
    await cluster
    for worker in cluster.workers.values():
        await worker


def _close(cluster: Any) -> None:  # noqa: ANN401  # of a library that is not typed
    with suppress(AssertionError):  # raised by Dask if jobs were refused
        cluster.close()


@contextmanager
def _replaced(cluster: Any, num_workers: int) -> Iterator[None]:  # noqa: ANN401  # see above
    """Replace workers that ended, for example because the batch system ended their job."""
    is_over = threading.Event()

    def replace() -> None:
        while not is_over.wait(_REPLACE_EVERY_S):
            cluster.scale(num_workers)
            if not cluster.scheduler_info["workers"]:
                logger.warning(
                    "waiting for the first worker: its job may be queued or may have failed; check "
                    "the batch system, and the `log_directory` in the executor's options"
                )

    thread = threading.Thread(target=replace, daemon=True)
    thread.start()
    try:
        yield
    finally:
        is_over.set()
        thread.join()


def _check_batch_system(cluster_class: Any) -> None:  # noqa: ANN401  # a class of a library
    """Check that jobs can be submitted, because Dask would otherwise wait for workers forever."""
    command = getattr(getattr(cluster_class, "job_cls", None), "submit_command", "")
    if command and shutil.which(command.split()[0]) is None:
        raise ExecutorError(
            f"{cluster_class.__name__} submits jobs by `{command.split()[0]}`, which is not "
            "installed here: run on a submit host of the cluster, or choose another executor"
        )


def _first_cause(error: BaseException) -> BaseException:
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error


def _find(dotted_name: str) -> Any:  # noqa: ANN401  # a class of a library that is not typed
    module, _, name = dotted_name.rpartition(".")
    interrupt = signal.getsignal(signal.SIGINT)
    try:
        return getattr(import_module(module), name)
    except (AttributeError, ValueError) as error:
        raise ExecutorError(
            f"there is no cluster class {dotted_name}; examples are "
            "dask.distributed.LocalCluster and dask_jobqueue.SLURMCluster"
        ) from error
    finally:
        # `dask_jobqueue` makes Ctrl-C an exit with code 0.
        if interrupt is not None and threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGINT, interrupt)
