"""A command in a process of its own, which a signal to this one does not reach."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PATIENCE_S = 300.0
"""How long a command may take to end in order; a validation is not interrupted."""

_LINES = 5


class Child:
    """A running command, whose output is appended to a file."""

    def __init__(
        self,
        command: Sequence[str],
        folder: Path,
        log: Path,
        variables: Mapping[str, str],
        shared: Collection[int] = (),
    ) -> None:
        """Start the command.

        Args:
            command: The program and its arguments.
            folder: Its working directory.
            log: File for its output.
            variables: Environment variables in addition to those of this process.
            shared: Numbers of open files that it shares with this process, such as locks.
        """
        log.parent.mkdir(parents=True, exist_ok=True)
        self.log = log
        self.started = time.monotonic()
        self._asked_to_stop: float | None = None
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                list(command),
                cwd=folder,
                env={**os.environ, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in the terminal would reach it a second time
                pass_fds=tuple(shared),
            )

    def code(self) -> int | None:
        """Its exit code; None while it runs. One that does not end in order is killed."""
        asked = self._asked_to_stop
        if asked is not None and time.monotonic() - asked > PATIENCE_S:
            self._process.kill()
        return self._process.poll()

    def stop(self) -> None:
        """Ask it to end in order; asked again, it ends immediately."""
        if self._asked_to_stop is None:
            self._asked_to_stop = time.monotonic()
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGTERM)

    def last_lines(self) -> str:
        """The end of its output, for messages."""
        lines = self.log.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LINES:])


class Stop:
    """Whether this process was asked to stop, and how often."""

    def __init__(self) -> None:
        self.signal = 0
        self.times = 0
        self._news = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait, or until the next signal."""
        self._news.wait(seconds)
        self._news.clear()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.times += 1
        self._news.set()


@contextmanager
def stopped_in_order() -> Iterator[Stop]:
    """Note Ctrl-C and SIGTERM instead of ending at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = {number: signal.signal(number, stop._note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
