"""Detection in a source that does not wait: one thread reads, another detects."""

import threading
import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass, replace

from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.handover import Handed, Handover, WhenSlow
from etram_pipeline.streaming.reading import Reader
from etram_pipeline.streaming.sources import Source, SourceCounts
from etram_pipeline.streaming.stream import DetectionStream, WindowResult

FORGET_US = 1_000_000
"""Time of windows left out in a row after which the memory is emptied, in microseconds."""

_JOIN_S = 5.0
_BEATS = 4


@dataclass(frozen=True)
class LiveResult:
    """What is known at the end of one window, and how old it is.

    Attributes:
        result: Detections and tracks.
        gathered_ms: From when the source handed over the last event of the window until the window
            was known to be whole, and drawn. Without events, from when its end was known.
        waited_ms: From then until the detector took it.
        computed_ms: From then until its detections and tracks were known.
        num_skipped: Windows that were left out just before it.
    """

    result: WindowResult
    gathered_ms: float
    waited_ms: float
    computed_ms: float
    num_skipped: int

    @property
    def latency_ms(self) -> float:
        """From the last event of the window until its detections and tracks were known."""
        return self.gathered_ms + self.waited_ms + self.computed_ms


@dataclass(frozen=True)
class LiveReport:
    """Counts of all that came so far; `windows = detected + held + skipped + unread`.

    While a window is on its way from one thread to another, it is counted in `windows` alone.

    Attributes:
        events: Events, including those that were left out.
        outside: Events outside the sensor, which were left out.
        late: Events with a time below that of an earlier one, which were given its time.
        early: Events before time zero, which were left out.
        wild: Events whose time is far from all others, which were left out.
        crowded: Events that no memory would hold, which were left out.
        windows: Windows cut.
        empty: Windows without an event.
        detected: Windows in which was detected.
        held: Windows without an event, for which earlier detections were told again, or none.
        skipped: Windows left out because the detector was too slow.
        unread: Windows that were cut, but not wanted any more.
        restarts: How often windows began anew, with a new clock or after a long silence.
        forgotten: How often the memory was emptied since too much time was missing.
        source: What the source of the last run received and lost.
    """

    events: int
    outside: int
    late: int
    early: int
    wild: int
    crowded: int
    windows: int
    empty: int
    detected: int
    held: int
    skipped: int
    unread: int
    restarts: int
    forgotten: int
    source: SourceCounts


class LiveStream:
    """Reads a source in a thread of its own, which also draws, and detects in that of the caller.

    Args:
        stream: Cuts windows and detects in them.
        when_slow: What is done with a window for which there is no room. `wait`: the source waits,
            and no window is lost, as is right for files. `newest`: the windows that wait longest
            are left out, as is right for cameras. `fail`: an error. Windows are never merged. The
            memory of the detector is kept unless windows of a second or more are missing.
        room: Windows that may wait for the detector.
        heartbeat_ms: Time without a chunk after which the clock of the computer is used, this much
            behind, so that windows end in silence too; None: they end when the next chunk comes.
        clock: Time in seconds, by which latencies are measured.

    Raises:
        ValueError: If there is no room, or no time between heartbeats.
    """

    def __init__(
        self,
        stream: DetectionStream,
        *,
        when_slow: WhenSlow = "newest",
        room: int = 1,
        heartbeat_ms: float | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if room < 1:
            raise ValueError(f"room must be for 1 window or more; got {room}")
        if heartbeat_ms is not None and heartbeat_ms <= 0:
            raise ValueError(f"heartbeat_ms must be positive, or None; got {heartbeat_ms}")
        self._stream, self._clock = stream, clock
        self._when_slow, self._room = when_slow, room
        self._heartbeat_s = None if heartbeat_ms is None else heartbeat_ms / 1000
        self._handover = Handover(when_slow, room)
        self._source: Source | None = None
        self._num_skipped = self._num_unread = 0

    def run(self, source: Iterable[Chunk]) -> Generator[LiveResult, None, None]:
        """Detect until the source ends, or until this generator is closed.

        Args:
            source: Chunks of events, times or `NEW_CLOCK`. A `Source` is closed at the end.

        Raises:
            TooSlowError: If the detector is too slow and `when_slow` is `fail`.
            Exception: What the source raises, after the results of all that it gave before.
        """
        self._stream.warm_up()
        self._settle()
        self._handover = handover = Handover(self._when_slow, self._room)
        self._source = source if isinstance(source, Source) else None
        reader = Reader(self._stream.cutter, handover, self._clock)
        thread = threading.Thread(target=reader.read, args=(source,), daemon=True)
        thread.start()
        try:
            while (handed := self._next(handover, reader)) is not None:
                yield self._detect(handed)
        finally:
            handover.stop()
            if self._source is not None:
                self._source.close()
            thread.join(_JOIN_S)
            self._settle()

    def report(self) -> LiveReport:
        """Counts of all that came so far."""
        cut, told = self._stream.cutter.counts, self._stream.counts
        return LiveReport(
            events=cut.num_events,
            outside=cut.num_dropped,
            late=cut.num_late,
            early=cut.num_early,
            wild=cut.num_wild,
            crowded=cut.num_crowded,
            windows=cut.num_windows,
            empty=cut.num_empty,
            detected=told.num_detected,
            held=told.num_held,
            skipped=self._num_skipped + self._handover.num_skipped,
            unread=self._num_unread + self._handover.num_unread,
            restarts=cut.num_restarts,
            forgotten=told.num_forgotten,
            source=SourceCounts() if self._source is None else replace(self._source.counts),
        )

    def _settle(self) -> None:
        """Add the counts of the last run to those of all."""
        self._num_skipped += self._handover.num_skipped
        self._num_unread += self._handover.num_unread
        self._handover = Handover(self._when_slow, self._room)

    def _detect(self, handed: Handed) -> LiveResult:
        start_s = self._clock()
        window = handed.window
        if handed.num_skipped * self._stream.cutter.step_us >= FORGET_US and not window.is_start:
            self._stream.forget()
        try:
            result = self._stream.detect(window)
        except BaseException:
            self._handover.num_unread += 1
            raise
        return LiveResult(
            result=result,
            gathered_ms=1000 * (handed.ready_s - handed.complete_s),
            waited_ms=1000 * (start_s - handed.ready_s),
            computed_ms=1000 * (self._clock() - start_s),
            num_skipped=handed.num_skipped,
        )

    def _next(self, handover: Handover, reader: Reader) -> Handed | None:
        """The next window; None at the end."""
        wait_s = None if self._heartbeat_s is None else self._heartbeat_s / _BEATS
        while True:
            handed = handover.take(wait_s)
            if handed is not None or handover.is_over:
                return handed
            while self._heartbeat_s is not None and reader.beat(self._heartbeat_s):
                if (handed := handover.take(0.0)) is not None:
                    return handed
