"""Several recordings in parallel, each in its own process on this machine."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from concurrent.futures import ThreadPoolExecutor as Threads
from contextlib import contextmanager
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.builds.executors import ExecutorConfig, call_with_cores
from etram_pipeline.core.machine import num_cores


class Config(ExecutorConfig):
    """Several recordings in parallel, each in its own process on this machine.

    Attributes:
        workers: Number of processes. None: one for each core that this process may use.
    """

    kind: Literal["processes"]
    workers: int | None = Field(default=None, ge=1)

    @override
    @contextmanager
    def open(self) -> Iterator[Executor]:
        executor = WorkerProcesses(self.workers or num_cores())
        try:
            yield executor
        except BaseException:
            executor.abort()
            raise
        executor.shutdown()


class WorkerProcesses(Executor):
    """Runs jobs in processes; if a process is killed, only its job fails.

    A process pool breaks completely when one of its processes dies, and does not report which job
    was the cause. Each process is therefore a separate pool, controlled by a thread. Processes are
    spawned, so they inherit neither threads nor open files.
    """

    def __init__(self, num_workers: int) -> None:
        self._num_workers = num_workers
        # Ctrl-C may reach a process before it has set up to ignore the signal, so it inherits a
        # blocked signal. Starting the resource tracker would unblock it, so this is done before.
        resource_tracker.ensure_running()
        self._threads = Threads(num_workers, "worker", initializer=_hold_back_interrupts)
        self._own = threading.local()
        self._pools: set[ProcessPoolExecutor] = set()
        self._context = multiprocessing.get_context("spawn")
        # Workers exit when this pipe is closed, also when this process was killed.
        self._told_to_end, self._tell_to_end = self._context.Pipe(duplex=False)
        self._num_open = 0
        self._lock = threading.Lock()

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        with self._lock:
            self._num_open += 1
        future = self._threads.submit(self._run, fn, *args, **kwargs)
        future.add_done_callback(self._count_done)
        return future

    @override
    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._threads.shutdown(wait=wait, cancel_futures=cancel_futures)
        for pool in list(self._pools):
            pool.shutdown(wait=wait)
        self._tell_to_end.close()
        self._told_to_end.close()

    def abort(self) -> None:
        """Stop immediately, even if jobs are running."""
        if self._num_open:  # idle workers exit by themselves and release their resources
            self._tell_to_end.close()
        self.shutdown(cancel_futures=True)

    def _run(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401  # whatever `fn` returns
        pool = self._own_pool()
        cores = max(1, num_cores() // max(1, min(self._num_workers, self._num_open)))
        try:
            return pool.submit(call_with_cores, cores, fn, *args, **kwargs).result()
        except BrokenExecutor:
            self._pools.discard(pool)
            self._own.pool = None
            # This is fast, because the process has died. Without it, the pool may still be closing
            # its pipes when the program exits and writes to them.
            pool.shutdown()
            raise

    def _own_pool(self) -> ProcessPoolExecutor:
        """The process of this thread."""
        pool: ProcessPoolExecutor | None = getattr(self._own, "pool", None)
        if pool is None:
            pool = ProcessPoolExecutor(
                1,
                mp_context=self._context,
                initializer=_obey,
                initargs=(self._told_to_end,),
            )
            self._own.pool = pool
            self._pools.add(pool)
        return pool

    def _count_done(self, _future: Future[Any]) -> None:
        with self._lock:
            self._num_open -= 1


def _hold_back_interrupts() -> None:
    """Block Ctrl-C in this thread and in the processes that it starts."""
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})


def _obey(told_to_end: Connection) -> None:
    """Ignore Ctrl-C; exit when the parent process asks for it or was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the parent as well
    threading.Thread(target=_exit_after, args=(told_to_end,), daemon=True).start()


def _exit_after(told_to_end: Connection) -> None:
    wait([told_to_end])
    os._exit(1)
