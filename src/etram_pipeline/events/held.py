"""Events of a recording or stream while its windows are cut."""

from dataclasses import dataclass

import numpy as np

from etram_pipeline.core.recording import Events


@dataclass
class Tally:
    """Counts of the events read so far.

    Attributes:
        num_events: All events, including those left out.
        num_dropped: Events outside the sensor, which are left out.
        num_late: Events with a timestamp below that of an earlier event, which are given its time.
        num_early: Events before time zero, which are left out.
    """

    num_events: int = 0
    num_dropped: int = 0
    num_late: int = 0
    num_early: int = 0

    def add(self, events: Events) -> None:
        """Count a chunk of a recording."""
        self.num_events += len(events) + events.num_dropped + events.num_early
        self.num_dropped += events.num_dropped
        self.num_late += events.num_late
        self.num_early += events.num_early


class HeldEvents:
    """Events that later windows may need, in arrays that are reused.

    A window of fixed duration includes the events at both of its borders, as in the reference.

    Args:
        duration_us: Length of every window; None where windows hold a number of events.
        num_events: Events in every window: the last ones before its end.
    """

    def __init__(self, duration_us: int | None, num_events: int | None = None) -> None:
        self._duration_us, self._num_events = duration_us, num_events or 0
        self._arrays = _allocate(0)
        self._first = self._last = 0

    def __len__(self) -> int:
        return self._last - self._first

    @property
    def last_us(self) -> int:
        """Time of the last event, in microseconds; -1 before the first."""
        return int(self._arrays.t_us[self._last - 1]) if self._last else -1

    def append(self, events: Events) -> None:
        """Copy the next events."""
        if self._last + len(events) > len(self._arrays):
            self._make_room(len(events))
        span = slice(self._last, self._last + len(events))
        for mine, new in zip(_columns(self._arrays), _columns(events), strict=True):
            mine[span] = new
        self._last = span.stop

    def in_window(self, stop_us: int) -> Events:
        """Events of the window that ends at `stop_us`, as views valid until the next `append`."""
        first, last = self._bounds(stop_us)
        return self._arrays.slice(first, last)

    def forget_before(self, stop_us: int) -> None:
        """Drop events that no window needs that ends at `stop_us`, the end of the next, or later.

        All events must precede that end.
        """
        self._first, _ = self._bounds(stop_us)

    def _bounds(self, stop_us: int) -> tuple[int, int]:
        times_us = self._arrays.t_us[self._first : self._last]
        last = self._first + int(np.searchsorted(times_us, stop_us, side="right"))
        if self._duration_us is None:
            return max(self._first, last - self._num_events), last
        return self._first + int(np.searchsorted(times_us, stop_us - self._duration_us)), last

    def _make_room(self, num_new: int) -> None:
        """Move the held events to the front, into larger arrays if these would soon be full."""
        num_held = self._last - self._first
        source, num_wanted = self._arrays, 2 * (num_held + num_new)
        if num_wanted > len(source):
            self._arrays = _allocate(num_wanted)
        for mine, old in zip(_columns(self._arrays), _columns(source), strict=True):
            mine[:num_held] = old[self._first : self._last]
        self._first, self._last = 0, num_held


def _allocate(num_events: int) -> Events:
    return Events(
        x=np.empty(num_events, np.uint16),
        y=np.empty(num_events, np.uint16),
        t_us=np.empty(num_events, np.int64),
        polarity=np.empty(num_events, np.uint8),
    )


def _columns(events: Events) -> tuple[np.ndarray, ...]:
    return events.x, events.y, events.t_us, events.polarity
