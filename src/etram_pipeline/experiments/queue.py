"""A queue of runs on this machine, with a line about the progress of each."""

import re
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import rich
from rich.live import Live
from rich.text import Text

from etram_pipeline.core.counts import duration
from etram_pipeline.experiments.child import Child, Stop
from etram_pipeline.experiments.command import executable, run_command
from etram_pipeline.experiments.launchers import Tell
from etram_pipeline.experiments.registry import ExperimentRun, Registry
from etram_pipeline.experiments.work import Work
from etram_pipeline.mlflow_logging.run_log import RUN_ID
from etram_pipeline.mlflow_logging.store import StoreUnavailableError

RUN_LOG = "run.log"
"""File in the folder of a run with the output of its command."""

WIDE = {"COLUMNS": "200"}
"""Environment variable of processes whose lines are shown."""

_POLL_S = 0.2
_NEWS_S = 60.0
"""Time between two lines about a run where the output is no terminal."""

_SIGNALLED = {-2, -9, -15, 128 + 2, 128 + 9, 128 + 15}
"""Exit codes of processes that a signal ended."""

_PREFIX = re.compile(r"^([\d:]+\s+)?(INFO|WARNING|ERROR)\s+")
_SUFFIX = re.compile(r"\s+\w+\.py:\d+$")


@dataclass
class Turn:
    """A run in the queue.

    Attributes:
        work: The experiment.
        seed: Value of `train.seed`.
        registry: The list of runs.
        run: The run in MLflow.
        lock: Number of the open file that keeps its results folder locked.
        child: Its process; None: not begun.
    """

    work: Work
    seed: int
    registry: Registry
    run: ExperimentRun
    lock: tuple[int, ...]
    child: Child | None = field(default=None)

    @property
    def label(self) -> str:
        """Name of the run for the user."""
        return self.work.label(self.seed)

    def start(self) -> Child:
        """Start its process."""
        results = self.work.project.written(self.run.results)
        command = executable(run_command(self.work.experiment, self.seed, results))
        log = self.run.results / RUN_LOG
        variables = {RUN_ID: self.run.run_id, **WIDE}
        self.child = Child(command, self.work.project.path, log, variables, self.lock)
        return self.child

    def end(self, code: int) -> str:
        """Make sure that MLflow has the outcome of a process that ended.

        Returns:
            The outcome in words.
        """
        status = "FINISHED" if code == 0 else "KILLED" if code in _SIGNALLED else "FAILED"
        outcome = status
        if self.child is not None:
            outcome += f" after {duration(time.monotonic() - self.child.started)}"
            outcome += f": {self.child.error()}" if status == "FAILED" else ""
        try:
            if not self.registry.run(self.run.run_id).has_ended:
                self.registry.set_status(self.run.run_id, status)
        except StoreUnavailableError as error:  # the runs that follow must not be lost
            outcome += f"; MLflow does not have this outcome: {error}"
        return outcome


def run_queue(turns: Sequence[Turn], jobs: int, stop: Stop, tell: Tell) -> None:
    """Run all turns, some of them side by side, until all have ended or a signal comes.

    Args:
        turns: The runs in their order.
        jobs: How many run side by side.
        stop: The signals.
        tell: Takes a line about each event.
    """
    waiting, active = list(turns), list[Turn]()
    with progress_shown(lambda: [(each.label, each.child) for each in active], tell) as show:
        while active or (waiting and not stop.times):
            while waiting and len(active) < jobs and not stop.times:
                active += _started(waiting.pop(0), tell)
            stop.pass_on([turn.child for turn in active if turn.child])
            stop.wait(_POLL_S)
            for turn in list(active):
                code = turn.child.code() if turn.child else 0
                if code is not None:
                    active.remove(turn)
                    tell(f"{turn.label}: {turn.end(code)}")
            show()


def _started(turn: Turn, tell: Tell) -> list[Turn]:
    """The run, unless its process cannot be started."""
    try:
        child = turn.start()
    except OSError as error:  # the runs that go on or follow must not be lost
        tell(f"{turn.label}: {turn.end(1)}, because it cannot be started: {error}")
        return []
    tell(f"{turn.label}: started; output in {child.log}")
    return [turn]


@contextmanager
def progress_shown(
    active: Callable[[], Sequence[tuple[str, Child | None]]], tell: Tell
) -> Iterator[Callable[[], None]]:
    """Show a line for each active process: live on a terminal, otherwise now and then.

    Args:
        active: Gives the names and the processes of the present.
        tell: Takes a line where the output is no terminal.

    Yields:
        Function that brings the lines up to date.
    """
    console = rich.get_console()
    if console.is_terminal:
        with Live(console=console, transient=True, auto_refresh=False) as live:
            yield lambda: live.update(
                Text("\n".join(_lines(active())), overflow="ellipsis", no_wrap=True), refresh=True
            )
        return
    told_at = time.monotonic()

    def tell_sometimes() -> None:
        nonlocal told_at
        if time.monotonic() - told_at >= _NEWS_S:
            told_at = time.monotonic()
            for line in _lines(active()):
                tell(line)

    yield tell_sometimes


def _lines(active: Sequence[tuple[str, Child | None]]) -> Iterator[str]:
    """What each process is doing: the last line of its output, in which training tells its step."""
    for label, child in active:
        if child is None:
            yield label
            continue
        text = _SUFFIX.sub("", _PREFIX.sub("", child.last_lines(1)))
        yield f"{label}: {duration(time.monotonic() - child.started)}, {text.strip()}"
