"""Encodes a recording into the images of its windows, in one pass."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.prefetch import prefetch
from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.representations import Representation
from etram_pipeline.events.windows import WindowPlan


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


def encode(
    recording: Recording,
    plan: WindowPlan,
    representation: Representation,
    tally: Tally | None = None,
) -> Iterator[Integer[np.ndarray, "C H W"]]:
    """Images of the windows of a recording, one by one.

    A window of fixed duration includes the events at both of its borders, as in the reference.
    Events are read once and dropped as soon as no later window needs them: memory grows with the
    events of one window and one chunk, not with the length of the recording.

    Args:
        recording: The recording, which is read up to the last window.
        plan: Windows to cut.
        representation: Encodes the events of a window.
        tally: Counts the events read.

    Yields:
        A new image for every window of the plan, in order.

    Raises:
        RecordingError: If the recording is damaged.
    """
    for buffer in draw_windows(recording, plan, representation, representation.buffer, tally):
        yield buffer.image


def draw_windows(
    recording: Recording,
    plan: WindowPlan,
    representation: Representation,
    take_buffer: Callable[[], ImageBuffer],
    tally: Tally | None = None,
) -> Iterator[ImageBuffer]:
    """Like `encode`, but draws on buffers that the caller provides and may reuse.

    A second thread reads the recording and cleans its events.

    Args:
        recording: The recording, which is read up to the last window.
        plan: Windows to cut.
        representation: Encodes the events of a window.
        take_buffer: Returns the buffer for the next window.
        tally: Counts the events read.

    Yields:
        A buffer for every window of the plan, in order.

    Raises:
        RecordingError: If the recording is damaged.
    """
    tally = tally or Tally()
    held = _HeldEvents()
    window, num_windows = 0, len(plan.stop_us)

    def draw() -> ImageBuffer:
        buffer = take_buffer()
        representation.draw(held.in_window(plan, window), buffer)
        return buffer

    with closing(prefetch(_read_span(recording, plan))) as chunks:
        for chunk in chunks:
            tally.add(chunk)
            held.append(chunk)
            # Later events may have the same time, so only windows that end before it are complete.
            num_whole = int(np.searchsorted(plan.stop_us, held.last_us))
            while window < num_whole:
                yield draw()
                window += 1
            held.forget_before(plan, window)
    while window < num_windows:
        yield draw()
        window += 1


def _read_span(recording: Recording, plan: WindowPlan) -> Iterator[Events]:
    if len(plan.stop_us) == 0:
        return iter(())
    stop_us = int(plan.stop_us[-1]) + 1
    if plan.duration_us is None:
        return recording.read(None, stop_us)
    start_us = int(plan.stop_us[0]) - plan.duration_us
    return recording.read(start_us if start_us > 0 else None, stop_us)


class _HeldEvents:
    """Events that later windows may need, in arrays that are reused."""

    def __init__(self) -> None:
        self._arrays = _allocate(0)
        self._first = self._last = 0

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

    def in_window(self, plan: WindowPlan, window: int) -> Events:
        """Events of a window, as views that are valid until the next `append`."""
        first, last = self._bounds(plan, window)
        return self._arrays.slice(first, last)

    def forget_before(self, plan: WindowPlan, window: int) -> None:
        """Drop events that neither `window` nor a later one needs; all of them precede its end."""
        self._first, _ = self._bounds(plan, window)

    def _bounds(self, plan: WindowPlan, window: int) -> tuple[int, int]:
        times_us = self._arrays.t_us[self._first : self._last]
        stop_us = plan.stop_us[window]
        last = self._first + int(np.searchsorted(times_us, stop_us, side="right"))
        if plan.duration_us is None:
            return max(self._first, last - (plan.num_events or 0)), last
        return self._first + int(np.searchsorted(times_us, stop_us - plan.duration_us)), last

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
