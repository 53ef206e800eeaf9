"""A command in a process of its own, which a signal to this one does not reach."""

import os
import signal
import subprocess
import threading
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType

PATIENCE_S = 300.0
"""How long a command may take to end in order; a validation is not interrupted."""

_LINES, _MOST_LINES = 5, 200
_LAST_BYTES = 20_000
_MOST_TIMES = 2


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
        self._times_asked = 0
        with log.open("ab") as output:
            self._began_at = output.tell()
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
        """Its exit code; None while it runs. If it does not end in order, it is killed."""
        asked = self._asked_to_stop
        code = self._process.poll()
        if code is None and asked is not None and time.monotonic() - asked > PATIENCE_S:
            self._kill()
        return code

    def stop(self) -> None:
        """Ask it to end in order; a second call ends it immediately, a third one kills it."""
        if self._asked_to_stop is None:
            self._asked_to_stop = time.monotonic()
        self._times_asked += 1
        if self._times_asked > _MOST_TIMES:
            self._kill()
        else:
            self._process.send_signal(signal.SIGTERM)

    def _kill(self) -> None:
        """Kill it with everything that it has started."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    def last_lines(self, number: int = _LINES) -> str:
        """The end of its output, for messages."""
        with self.log.open("rb") as file:
            file.seek(max(file.seek(0, os.SEEK_END) - _LAST_BYTES, self._began_at))
            lines = file.read().decode(errors="replace").splitlines()
        return "\n".join([line.rstrip() for line in lines if line.strip()][-number:])

    def error(self) -> str:
        """The line with the error that ended it; the last lines if there is none."""
        text = "\n" + self.last_lines(_MOST_LINES)
        _, found, message = text.rpartition("\nError: ")
        return message if found else self.last_lines()


class Stop:
    """Whether this process was asked to stop, and how often."""

    def __init__(self) -> None:
        self.signal = 0
        self.times = 0
        self._passed_on = 0
        self._news = threading.Event()

    def wait(self, seconds: float) -> None:
        """Wait, or until the next signal."""
        self._news.wait(seconds)
        self._news.clear()

    def pass_on(self, children: Iterable[Child]) -> None:
        """Ask children to stop, once for each signal that has come since."""
        while self._passed_on < self.times:
            self._passed_on += 1
            for child in children:
                child.stop()

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.signal = number
        self.times += 1
        self._news.set()


@contextmanager
def stopped_in_order() -> Iterator[Stop]:
    """Note Ctrl-C, SIGTERM, SIGUSR1 and the end of the terminal instead of ending at once."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN  # as with `nohup`
    ]
    before = {number: signal.signal(number, stop._note) for number in numbers}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
