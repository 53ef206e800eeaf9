"""Where recordings are computed: one after another here, or in processes of their own."""

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing.connection import wait
from typing import Any, Literal

from typing_extensions import override

from etram_pipeline.core.machine import num_cores


class InlineExecutor(Executor):
    """Runs each job when it is submitted, where a debugger can follow it."""

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001  # an executor's errors are told by the future
            future.set_exception(error)
        return future


@contextmanager
def open_executor(
    kind: Literal["inline", "processes"] = "processes", workers: int | None = None
) -> Iterator[Executor]:
    """An executor for one build.

    Args:
        kind: `inline` computes in this process, `processes` in others, which start afresh and so
            inherit neither threads nor open files.
        workers: Number of processes; None is one per core this process may use.

    Yields:
        The executor.
    """
    if kind == "inline":
        yield InlineExecutor()
        return
    executor = ProcessPoolExecutor(
        workers or num_cores(),
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_end_with_parent,
    )
    try:
        yield executor
    finally:
        executor.shutdown(wait=True, cancel_futures=True)


def _end_with_parent() -> None:
    """End this worker when its parent is killed; otherwise it would wait for work forever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_exit_after, args=(parent.sentinel,), daemon=True).start()


def _exit_after(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)
