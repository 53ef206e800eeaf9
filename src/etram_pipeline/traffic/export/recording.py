"""One recording as it is exported."""

from dataclasses import dataclass
from datetime import UTC
from functools import cached_property

import numpy as np
from jaxtyping import Int64

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable


@dataclass(frozen=True, eq=False)
class ExportedRecording:
    """Tracks of a recording, and what formats of video want to know about it.

    Other tools count frames. Frame k, from 1, is the k-th window of the recording.

    Attributes:
        name: Its name in files.
        tracks: Its tracks, in order of time.
        class_names: Name of each class id.
        observed: Sensor and time.
        times_us: Ends of all windows, in microseconds. None, or other times than those of
            `tracks`, such as where another program detected: windows follow each other at the
            smallest interval that occurs in `tracks`, which is exact at a fixed rate.
    """

    name: str
    tracks: TrackTable
    class_names: tuple[str, ...]
    observed: Observed
    times_us: Int64[np.ndarray, " W"] | None = None

    @cached_property
    def _windows_us(self) -> Int64[np.ndarray, " W"] | None:
        """Ends of all windows; None if tracks are not at these times."""
        if self.times_us is None or not np.isin(self.tracks["t"], self.times_us).all():
            return None
        return self.times_us

    @cached_property
    def step_us(self) -> int:
        """Time from one window to the next, in microseconds."""
        if self._windows_us is not None:
            steps = np.diff(self._windows_us)
            return int(np.median(steps)) if len(steps) else self._span_us
        steps = np.diff(self.tracks["t"])
        steps = steps[steps > 0]
        return int(steps.min()) if len(steps) else self._span_us

    @property
    def num_frames(self) -> int:
        """Number of windows."""
        if self._windows_us is not None:
            return len(self._windows_us)
        return max(1, round(self._span_us / self.step_us))

    @property
    def seconds(self) -> float:
        """Length of what was observed."""
        return (self.observed.stop_us - self.observed.start_us) / 1e6

    @property
    def epoch_s(self) -> float:
        """Clock time of time zero in seconds since 1970, as if its zone were UTC.

        Tools that know no time zones then show the clock of the place. Without a clock, time zero
        is the beginning of 1970.
        """
        started_at = self.observed.started_at
        return 0.0 if started_at is None else started_at.replace(tzinfo=UTC).timestamp()

    def frames(self, times_us: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """Number of the frame at each time, from 1."""
        if self._windows_us is not None:
            return np.searchsorted(self._windows_us, times_us) + 1
        first_us = self.observed.start_us + self.step_us
        return np.rint((times_us - first_us) / self.step_us).astype(np.int64) + 1

    @property
    def _span_us(self) -> int:
        return max(1, self.observed.stop_us - self.observed.start_us)
