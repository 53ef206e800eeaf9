"""A recording as a stream: as fast as it can be read, or at the speed of a camera."""

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.recording import open_recording
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts

PACKET_US = 10_000
"""Time between two packets of a recording that is played, in microseconds."""


class RecordingSource(Source):
    """The events of a recording.

    Args:
        recording: The recording, or its file.
        speed: How many times faster than it was recorded it is played: events are handed over in
            packets of `packet_us` when this time is over, and in silence the time is told. If the
            reader waits, what was missed follows at once. None: as fast as it can be read.
        packet_us: Time between two packets, in microseconds of the recording.
        size: Height and width of the sensor in px, if the file does not tell.
        clock: Time in seconds.

    Raises:
        RecordingError: If the file is none of a recording.
        ValueError: If `speed` or `packet_us` is not positive.
    """

    def __init__(
        self,
        recording: Recording | Path,
        *,
        speed: float | None = None,
        packet_us: int = PACKET_US,
        size: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        if (speed is not None and not speed > 0) or packet_us < 1:
            raise ValueError(f"speed and packet_us must be positive; got {speed} and {packet_us}")
        self.counts = SourceCounts()
        if isinstance(recording, Path):
            recording = open_recording(recording, size=size)
        self._recording = recording
        self._speed, self._packet_us, self._clock = speed, packet_us, clock
        self._closed = Event()

    @property
    @override
    def size(self) -> tuple[int, int]:
        return self._recording.height, self._recording.width

    @override
    def __iter__(self) -> Iterator[Chunk]:
        chunks = self._recording.read() if self._speed is None else self._played(self._speed)
        for chunk in chunks:
            if self._closed.is_set():
                return
            self.counts.packets += 1
            yield chunk

    @override
    def close(self) -> None:
        self._closed.set()

    def _played(self, speed: float) -> Iterator[Chunk]:
        start_us, start_s = None, self._clock()
        for packet, stop_us in self._packets():
            if start_us is None:
                start_us = stop_us
            due_s = start_s + (stop_us - start_us) / 1e6 / speed
            if self._closed.wait(max(0.0, due_s - self._clock())):
                return
            yield packet

    def _packets(self) -> Iterator[tuple[Chunk, int]]:
        """Events of each packet, or its end if there are none, and its end."""
        stop_us, is_told = None, False
        for events in self._recording.read():
            first = 0
            while first < len(events):
                if stop_us is None:
                    stop_us = (int(events.t_us[0]) // self._packet_us + 1) * self._packet_us
                last = int(events.t_us.searchsorted(stop_us))
                if last > first:
                    yield _part(events, first, last), stop_us
                    first, is_told = last, True
                if first < len(events):  # at a later event, the packet is over
                    if not is_told:
                        yield stop_us, stop_us
                    stop_us, is_told = stop_us + self._packet_us, False


def _part(events: Events, first: int, last: int) -> Events:
    """Some events; what was left out before any of a chunk is counted in its first part."""
    part = events.slice(first, last)
    if first:
        return part
    return replace(
        part,
        num_dropped=events.num_dropped,
        num_late=events.num_late,
        num_early=events.num_early,
    )
