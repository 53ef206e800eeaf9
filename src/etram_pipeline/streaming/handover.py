"""Windows on their way from the thread that reads to the one that detects."""

from collections import deque
from dataclasses import dataclass, replace
from threading import Condition
from typing import Literal

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import TooSlowError
from etram_pipeline.streaming.cutter import CutWindow

WhenSlow = Literal["wait", "newest", "fail"]
"""What is done with a window for which there is no room: the source waits; the windows that wait
longest are left out; or that is an error."""


@dataclass(frozen=True)
class Handed:
    """A window and its times, in seconds of one clock.

    Attributes:
        window: The window.
        complete_s: When its last event was handed over by the source.
        ready_s: When it was known to be whole, and drawn.
        num_skipped: Windows that were left out just before it.
    """

    window: CutWindow
    complete_s: float
    ready_s: float
    num_skipped: int = 0


class Handover:
    """A queue of windows between two threads, which never waits for a thread that has stopped.

    Args:
        when_slow: What is done with a window for which there is no room.
        room: Windows that may wait.

    Attributes:
        num_skipped: Windows left out.
        num_unread: Windows that came when nobody wanted them any more, or waited then.
    """

    def __init__(self, when_slow: WhenSlow, room: int) -> None:
        self._when_slow, self._room = when_slow, room
        self._waiting: deque[Handed] = deque()
        self._changed = Condition()
        self._error: BaseException | None = None
        self._is_over = self._is_stopped = self._is_start = False
        self._num_since = 0
        self.num_skipped = self.num_unread = 0

    def put(self, handed: Handed) -> bool:
        """Hand a window over; False if none is wanted any more.

        Raises:
            TooSlowError: If there is no room and this is to be an error.
        """
        with self._changed:
            while len(self._waiting) >= self._room and not self._is_stopped:
                self._make_room()
            return self._add(handed)

    def insert(self, handed: Handed) -> bool:
        """Hand a window over, whatever the room; False if none is wanted any more."""
        with self._changed:
            return self._add(handed)

    def take(self, timeout_s: float | None = None) -> Handed | None:
        """The window that waits longest; waits for one.

        Args:
            timeout_s: How long to wait at most; None: until the end.

        Returns:
            None at the end, or after that time.

        Raises:
            BaseException: What ended the windows, after the last of them.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_over, timeout_s)
            if not self._waiting:
                if self._error is not None:
                    raise self._error
                return None
            handed = self._waiting.popleft()
            self._changed.notify_all()
            window = replace(handed.window, is_start=handed.window.is_start or self._is_start)
            num_skipped, self._num_since, self._is_start = self._num_since, 0, False
            return replace(handed, window=window, num_skipped=num_skipped)

    @property
    def is_over(self) -> bool:
        """Whether no window will come any more."""
        with self._changed:
            return self._is_over and not self._waiting

    @property
    def is_stopped(self) -> bool:
        """Whether no window is wanted any more."""
        return self._is_stopped

    def end(self, error: BaseException | None = None) -> None:
        """Say that no window will come any more, and why."""
        with self._changed:
            self._is_over, self._error = True, error
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that no window is wanted any more."""
        with self._changed:
            self._is_stopped = True
            self.num_unread += len(self._waiting)
            self._waiting.clear()
            self._changed.notify_all()

    def _make_room(self) -> None:
        if self._when_slow == "wait":
            self._changed.wait()
        elif self._when_slow == "fail":
            self.num_unread += 1
            raise TooSlowError(
                f"{counted(len(self._waiting), 'window')} of {self._room} at most wait for the "
                "detector, which is slower than the source: use a smaller or faster detector, "
                "allow more room, or let windows be left out"
            )
        else:
            old = self._waiting.popleft().window
            self._is_start |= old.is_start
            self._num_since += 1
            self.num_skipped += 1
            old.release()

    def _add(self, handed: Handed) -> bool:
        if self._is_stopped:
            self.num_unread += 1
            return False
        self._waiting.append(handed)
        self._changed.notify_all()
        return True
