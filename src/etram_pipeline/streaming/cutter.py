"""Cuts the windows of a stream while its events come."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import LARGEST_SIZE, Events
from etram_pipeline.events.formats.cleaning import Columns, Origin, RunningMaximum, select
from etram_pipeline.events.held import HeldEvents, Tally
from etram_pipeline.events.image_buffer import ImageBuffer, ImageBuffers
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig, check_number
from etram_pipeline.streaming.chunks import Chunk, EventTable, read_columns, wraps
from etram_pipeline.streaming.clock import Clock, Stretch

JUMP_US = 2_000_000
"""Difference of two times from which they are not of one clock, in microseconds."""

MOST_HELD = 2**24
"""Most events that are held for the windows to come, unless windows are of more events."""

_AT_ONCE = 2**18
_KINDS = ("regular", "label_aligned")


@dataclass
class CutCounts(Tally):
    """What a cutter was given, and what became of it.

    Attributes:
        num_wild: Events whose time is far from those before and after, which are left out.
        num_crowded: Events beyond `MOST_HELD` of one window, which are left out.
        num_windows: Windows cut.
        num_empty: Windows without an event.
        num_restarts: How often windows began anew because the clock did, or after a long silence.
    """

    num_wild: int = 0
    num_crowded: int = 0
    num_windows: int = 0
    num_empty: int = 0
    num_restarts: int = 0


@dataclass(frozen=True)
class CutWindow:
    """A window whose events have all come.

    Attributes:
        stop_us: Its end, in microseconds of the sensor's clock.
        num_events: Its events.
        last_us: Time of the last of them; None without events.
        image: Its representation, valid until `release`.
        is_start: Whether it has nothing to do with the window before: a detector forgets that.
        is_silent: Whether no event came for it: it is empty, or, if windows hold a number of
            events, the same as the one before.
    """

    stop_us: int
    num_events: int
    last_us: int | None
    image: Integer[np.ndarray, "C H W"]
    is_start: bool
    is_silent: bool
    _buffer: ImageBuffer = field(repr=False)

    def release(self) -> None:
        """Let the cutter draw on the image again; without this, it draws on a new one."""
        self._buffer.give_back()


class WindowCutter:
    """Windows that end at multiples of a step, from events in chunks of any size.

    They equal those that `encode` draws of a recording with `windows: regular`, bit by bit. A
    window holds the events at both its borders and is therefore known to be whole only when a later
    event comes, or a time beyond its end. What `encode` does with late events, those outside the
    sensor and those before time zero is done here too.

    Memory is bounded by the events of one window, whatever comes.

    Args:
        encoding: Windows and representation. Windows that were aligned to labels become regular
            ones of the same step and extent, since a stream has no labels.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        jump_us: If times differ from those before by more than this, either they are wrong or a new
            clock begins, see `Clock`: windows begin anew. This also ends a long silence. Two steps
            are never too long. None trusts all times, as is done with recordings.

    Attributes:
        counts: Of all that came so far.
        size: Height and width of the sensor, in px.
        step_us: Time between the ends of two windows, in microseconds.
        next_us: End of the next window, in microseconds; None before the first event.
        latest_us: Latest time so far, in microseconds; None before the first event.

    Raises:
        SettingsError: If the windows are of another kind.
        ValueError: If the size is not that of a sensor, or `jump_us` is not positive.
    """

    def __init__(
        self, encoding: EncodingSettings, height: int, width: int, *, jump_us: int | None = JUMP_US
    ) -> None:
        if not (1 <= height <= LARGEST_SIZE and 1 <= width <= LARGEST_SIZE):
            raise ValueError(
                f"height and width must be from 1 to {LARGEST_SIZE} px; got {height} x {width}"
            )
        if jump_us is not None and jump_us < 1:
            raise ValueError(f"jump_us must be positive, or None; got {jump_us}")
        windows = _checked(encoding.windows)
        self.step_us = 1000 * windows.step_ms
        self._extent = (
            None if windows.duration_ms is None else 1000 * windows.duration_ms,
            windows.num_events,
        )
        self._most_held = max(MOST_HELD, 2 * (windows.num_events or 0))
        self._representation = encoding.representation.build(height, width)
        self.size = height, width
        self._origin = Origin("the stream", height, width)
        # Otherwise a window in silence would look like a new clock.
        self._clock = Clock(None if jump_us is None else max(jump_us, 2 * self.step_us))
        self._buffers = ImageBuffers(())
        self.counts = CutCounts()
        self._forget()

    def push(self, chunk: Chunk) -> Iterator[CutWindow]:
        """The windows that a chunk completes; all of them must be taken before the next chunk.

        Args:
            chunk: Events, a time before which none will come any more, or `NEW_CLOCK`.

        Raises:
            ValueError: If it is a table without the fields of events.
            RecordingError: If a polarity is greater than 1, or if all times are trusted and more
                windows would be cut at once than a recording may have.
        """
        if isinstance(chunk, str):
            yield from self.restart()
        elif isinstance(chunk, int | np.integer):
            yield from self.advance(int(chunk))
        else:
            for part in _parts(chunk):
                stretches = self._clock.push(read_columns(part), wraps=wraps(part))
                yield from self._take(stretches)
            self._count_source(chunk)

    def advance(self, until_us: int) -> Iterator[CutWindow]:
        """The windows that end before a time, before which no event will come any more.

        Has no effect before the first event. A time that is too far away begins a new clock.
        """
        yield from self._take(self._clock.confirm(until_us))
        if self._clock.is_far(until_us):
            yield from self.restart()
        elif self._maximum.latest_us is not None:
            self._clock.advance(until_us)
            self._maximum.latest_us = max(self._maximum.latest_us, until_us)
            yield from self._cut()

    def finish(self) -> Iterator[CutWindow]:
        """The windows that have begun when the stream ends; another one may follow."""
        yield from self._take(self._clock.stop())
        yield from self._rest()
        self._forget()

    def restart(self) -> Iterator[CutWindow]:
        """The windows that have begun; the next time is that of a new clock."""
        was_running = self._clock.is_running
        yield from self.finish()
        self.counts.num_restarts += was_running

    @property
    def latest_us(self) -> int | None:
        """Latest time so far."""
        return self._maximum.latest_us

    def _forget(self) -> None:
        self._held = HeldEvents(*self._extent)
        self._maximum = RunningMaximum()
        self.next_us: int | None = None
        self._last_event_us = self._previous_us = -1
        self._is_start = True

    def _take(self, stretches: Iterable[Stretch]) -> Iterator[CutWindow]:
        for columns, is_new_clock in stretches:
            if is_new_clock and self._maximum.latest_us is not None:
                yield from self._rest()
                self._forget()
                self.counts.num_restarts += 1
            self._hold(columns)
            yield from self._cut()
        self.counts.num_events += self._clock.num_wild - self.counts.num_wild
        self.counts.num_wild = self._clock.num_wild

    def _hold(self, columns: Columns) -> None:
        if self.next_us is None:
            after_zero_us = columns.t_us[columns.t_us >= 0]
            if len(after_zero_us):
                # Events outside the sensor count, as they do for the start of a recording.
                self.next_us = (int(after_zero_us[0]) // self.step_us + 1) * self.step_us
        events = select(columns, self._maximum, self._origin, (None, None))
        if self._maximum.latest_us is not None:
            self._last_event_us = self._maximum.latest_us
        if events is None:
            return
        self.counts.add(events)
        room = self._most_held - len(self._held)
        if len(events) > room:
            self.counts.num_crowded += len(events) - room
            events = events.slice(0, room)
        self._held.append(events)

    def _cut(self) -> Iterator[CutWindow]:
        """The windows that end before the latest time."""
        latest_us = self._maximum.latest_us
        if self.next_us is None or latest_us is None:
            return
        check_number((latest_us - self.next_us) // self.step_us, self.next_us, latest_us)
        while self.next_us < latest_us:
            yield self._draw(self.next_us)
        self._held.forget_before(self.next_us)

    def _rest(self) -> Iterator[CutWindow]:
        """The windows that have begun, even without a later event."""
        if self.next_us is None:
            return
        if self._is_start:
            yield self._draw(self.next_us)
        while self.next_us - self.step_us < self._last_event_us:
            yield self._draw(self.next_us)

    def _draw(self, stop_us: int) -> CutWindow:
        events = self._held.in_window(stop_us)
        buffer = self._buffers.take_or_add(self._representation.buffer)
        self._representation.draw(events, buffer)
        last_us = int(events.t_us[-1]) if len(events) else None
        window = CutWindow(
            stop_us=stop_us,
            num_events=len(events),
            last_us=last_us,
            image=buffer.image,
            is_start=self._is_start,
            is_silent=last_us is None or (self._extent[0] is None and last_us <= self._previous_us),
            _buffer=buffer,
        )
        self._is_start, self._previous_us, self.next_us = False, stop_us, stop_us + self.step_us
        self.counts.num_windows += 1
        self.counts.num_empty += len(events) == 0
        return window

    def _count_source(self, chunk: EventTable | Events) -> None:
        """Count what a source left out before handing its events over."""
        if isinstance(chunk, Events):
            self.counts.num_events += chunk.num_dropped + chunk.num_early
            self.counts.num_dropped += chunk.num_dropped
            self.counts.num_early += chunk.num_early
            self.counts.num_late += chunk.num_late


def _checked(windows: WindowConfig) -> WindowConfig:
    kind = getattr(windows, "kind", type(windows).__module__)
    if kind not in _KINDS:
        raise SettingsError(
            f"a stream has windows of the kinds {' and '.join(_KINDS)}, but the detector was "
            f"trained on {kind} ones; train it on windows that end at regular times"
        )
    return windows


def _parts(chunk: EventTable | Events) -> Iterator[EventTable | Events]:
    """The chunk in parts whose copies take little memory."""
    for first in range(0, len(chunk), _AT_ONCE):
        last = first + _AT_ONCE
        yield chunk.slice(first, last) if isinstance(chunk, Events) else chunk[first:last]
