"""Ctrl-C and SIGTERM: the program ends when what it has begun is done."""

import signal
from collections.abc import Iterator
from types import FrameType, TracebackType
from typing import Any, TypeVar

Found = TypeVar("Found")


class StoppedError(BaseException):
    """A signal has come while nothing was under way."""


class Stopping:
    """Notes the first signal; while `until_stopped` waits or before it, the signal ends the wait.

    The second signal ends the program at once.

    Attributes:
        received: Number of the signal that came; None if none did.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._interrupts = True
        self._before: dict[int, Any] = {}

    def __enter__(self) -> "Stopping":
        for number in (signal.SIGINT, signal.SIGTERM):
            self._before[number] = signal.signal(number, self._note)
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _traceback: TracebackType | None,
    ) -> None:
        self._restore()

    def until_stopped(self, results: Iterator[Found]) -> Iterator[Found]:
        """Results until a signal comes; the one that is being shown then is shown to its end."""
        try:
            while self.received is None:
                self._interrupts = True
                try:
                    found = self._next(results)
                finally:
                    self._interrupts = False
                if found is None:
                    return
                yield found
        except StoppedError:
            return

    def _next(self, results: Iterator[Found]) -> Found | None:
        # A signal may have come just before signals were allowed to interrupt.
        return next(results, None) if self.received is None else None

    def _note(self, number: int, _frame: FrameType | None) -> None:
        self.received = number
        self._restore()
        if self._interrupts:
            self._interrupts = False
            raise StoppedError

    def _restore(self) -> None:
        while self._before:
            signal.signal(*self._before.popitem())
