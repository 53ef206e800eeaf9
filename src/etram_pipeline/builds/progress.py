"""Progress of a build."""

import time
from dataclasses import dataclass

from etram_pipeline.core.counts import counted_of, duration

_MILLION, _TEN_THOUSAND = 1e6, 1e4


@dataclass(frozen=True)
class BuildProgress:
    """Progress of a build, counted over the recordings that it computes.

    Attributes:
        num_done: Recordings that are done, failed ones included.
        num_all: Recordings to compute.
        num_events: Events of those that are done.
        num_bytes_done: Size of their input files.
        num_bytes_all: Size of the input files of all.
        seconds: Time it took so far.
    """

    num_done: int
    num_all: int
    num_events: int
    num_bytes_done: int
    num_bytes_all: int
    seconds: float

    @property
    def events_per_s(self) -> float:
        """Events computed in a second."""
        return self.num_events / self.seconds if self.seconds else 0.0

    @property
    def remaining_s(self) -> float:
        """Seconds until all are done, should the rest go on like this, counted by bytes to read."""
        if self.num_bytes_done:
            return self.seconds * (self.num_bytes_all / self.num_bytes_done - 1)
        return self.seconds * (self.num_all / self.num_done - 1) if self.num_done else 0.0

    def __str__(self) -> str:
        text = counted_of(self.num_done, self.num_all, "recording")
        if self.num_events:
            text += f", {_shortened(self.num_events)} events, {_shortened(self.events_per_s)}/s"
        if 0 < self.num_done < self.num_all:
            text += f", {duration(self.remaining_s)} to go"
        return text


class ProgressCounter:
    """Counts finished recordings and measures time."""

    def __init__(self, num_all: int = 0, num_bytes_all: int = 0) -> None:
        """Start the clock.

        Args:
            num_all: Recordings to compute.
            num_bytes_all: Size of their input files.
        """
        self._num_all, self._num_bytes_all = num_all, num_bytes_all
        self._num_done = self._num_events = self._num_bytes_done = 0
        self._started = time.monotonic()

    def add(self, num_bytes: int, num_events: int) -> None:
        """Count one recording as done."""
        self._num_done += 1
        self._num_bytes_done += num_bytes
        self._num_events += num_events

    def read(self) -> BuildProgress:
        """The progress so far."""
        return BuildProgress(
            num_done=self._num_done,
            num_all=self._num_all,
            num_events=self._num_events,
            num_bytes_done=self._num_bytes_done,
            num_bytes_all=self._num_bytes_all,
            seconds=time.monotonic() - self._started,
        )


class Interval:
    """Tells when it is time again for something that must not be done too often."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._last = time.monotonic()

    def has_passed(self) -> bool:
        """Whether it has passed since this was last so."""
        now = time.monotonic()
        if now - self._last < self._seconds:
            return False
        self._last = now
        return True


def _shortened(number: float | int) -> str:
    """A number of events as a person reads it: `1.4 million`, `48,000`, `350`."""
    if number >= _MILLION:
        return f"{number / _MILLION:.1f} million"
    digits = -3 if number >= _TEN_THOUSAND else 0
    return f"{round(number, digits):,.0f}"
