"""Running the tasks of a build in an executor."""

import logging
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    wait,
)
from dataclasses import dataclass

from etram_pipeline.builds.executors import worker_was_killed
from etram_pipeline.builds.job import Outcome, Task
from etram_pipeline.stores.index import Failure

logger = logging.getLogger(__name__)

_KILLED = Failure(
    "not computed, because a worker process was killed, most often because memory ran out, and "
    "again when it had this recording alone: leave the recording out, or give workers more memory"
)


def run_tasks(
    executor: Executor,
    tasks: Mapping[str, Task],
    show_running: Callable[[list[str]], None],
) -> Generator[tuple[str, Outcome], None, None]:
    """Outcomes of tasks, as they finish.

    A task whose worker process was killed runs a second time, alone: several tasks at once may
    need too much memory. When the disk is full, no further task is started.

    Args:
        executor: Where to run the tasks.
        tasks: Tasks by recording, in the order in which they are started.
        show_running: Is called with the recordings that are running.

    Yields:
        Recording and outcome of each task; nothing for tasks that were not started.
    """
    run = _Run(executor, tasks, show_running)
    killed: list[str] = []
    for key, outcome in run.outcomes(tasks):
        if outcome is None:
            killed.append(key)
        else:
            yield key, outcome
    for alone in killed:
        for key, outcome in run.outcomes([alone]):
            yield key, outcome or Outcome(failure=_KILLED)


@dataclass
class _Run:
    executor: Executor
    tasks: Mapping[str, Task]
    show_running: Callable[[list[str]], None]
    is_full: bool = False

    def outcomes(self, keys: Iterable[str]) -> Iterator[tuple[str, Outcome | None]]:
        """Outcomes of tasks, as they finish; None if the worker process was killed."""
        running: dict[Future[Outcome], str] = {}
        try:
            for key in keys:
                if not self.is_full:
                    self.show_running([*running.values(), key])
                    running[self._submit(key)] = key
                    yield from self._finished(running, timeout=0.0)
            while running:
                yield from self._finished(running)
        finally:
            for future in running:
                future.cancel()

    def _submit(self, key: str) -> Future[Outcome]:
        try:
            return self.executor.submit(self.tasks[key])
        except BrokenExecutor as error:
            future: Future[Outcome] = Future()
            future.set_exception(error)
            return future

    def _finished(
        self, running: dict[Future[Outcome], str], timeout: float | None = None
    ) -> Iterator[tuple[str, Outcome | None]]:
        self.show_running([key for future, key in running.items() if future.running()])
        done, _ = wait(running, timeout, return_when=FIRST_COMPLETED)
        for future in done:
            key, outcome = running.pop(future), _outcome(future)
            if outcome is None:
                logger.warning("%s: its worker process was killed", key)
            else:
                self.is_full = self.is_full or outcome.is_full
            yield key, outcome
        if self.is_full:
            for future in list(running):
                if future.cancel():
                    del running[future]


def _outcome(future: Future[Outcome]) -> Outcome | None:
    if not future.cancelled() and worker_was_killed(future.exception()):
        return None
    try:
        return future.result()
    except (Exception, CancelledError) as error:  # noqa: BLE001  # of the executor, not of the job
        return Outcome(failure=Failure(f"not computed: {type(error).__name__}: {error}"))
