"""Statistics of the events of a recording, gathered chunk by chunk in constant memory."""

import numpy as np
from jaxtyping import Int64, UInt32

from etram_pipeline.core.component import Settings
from etram_pipeline.core.recording import Events
from etram_pipeline.quality.settings import QualitySettings

NUM_BINS = 512
"""Most bins into which the time of a recording is divided."""
NUM_WORST = 8
"""Hot pixels that are listed individually."""

_FIRST_SHIFT = 10
_LEAST_HOT_EVENTS = 50
"""With fewer events, the rate of a pixel cannot be estimated."""


class HotPixel(Settings):
    """A pixel that fires far more often than those around it.

    Attributes:
        x: Its column, in px.
        y: Its row, in px.
        rate_hz: Its mean rate, in events per second.
    """

    x: int
    y: int
    rate_hz: float


class EventQuality(Settings):
    """Measurements of the events of a recording.

    Times, pixels and polarities are those of events on the sensor and not before time zero, with
    the timestamps that `Recording.read` gives them.

    Attributes:
        num_events: Events in the file, including those left out.
        num_dropped: Events outside the sensor, which are left out.
        num_early: Events before time zero, which are left out.
        num_late: Events with a timestamp below that of an earlier event. The number of time
            reversals that caused them is not known.
        start_us: Time of the first event, in microseconds; 0 without events.
        last_us: Time of the last event, in microseconds; 0 without events.
        num_rising: Events where brightness rose.
        bin_us: Length of a time bin, in microseconds: the smallest power of two from 1024 with
            which at most 512 bins cover the recording. The first bin starts at the first event.
        events_of_bin: Events in each bin.
        num_gaps: Times between two events that are longer than `QualitySettings.gap_ms`.
        gaps_us: Their total length, in microseconds.
        longest_gap_us: Length of the longest, in microseconds.
        longest_gap_start_us: Time of the event before the longest, in microseconds.
        num_hot_pixels: Pixels that are hot according to `QualitySettings`, with 50 events or more.
        num_hot_events: Events of these pixels.
        hottest: The hottest of them, in descending order of rate.
    """

    num_events: int = 0
    num_dropped: int = 0
    num_early: int = 0
    num_late: int = 0
    start_us: int = 0
    last_us: int = 0
    num_rising: int = 0
    bin_us: int = 2**_FIRST_SHIFT
    events_of_bin: tuple[int, ...] = ()
    num_gaps: int = 0
    gaps_us: int = 0
    longest_gap_us: int = 0
    longest_gap_start_us: int = 0
    num_hot_pixels: int = 0
    num_hot_events: int = 0
    hottest: tuple[HotPixel, ...] = ()

    @property
    def num_kept(self) -> int:
        """Events on the sensor and not before time zero."""
        return self.num_events - self.num_dropped - self.num_early

    @property
    def duration_us(self) -> int:
        """Time between the first and the last event, in microseconds."""
        return self.last_us - self.start_us

    @property
    def rate_hz(self) -> float:
        """Mean rate in events per second; 0 for a recording without duration."""
        return 1e6 * self.num_kept / self.duration_us if self.duration_us else 0.0

    @property
    def rising_share(self) -> float:
        """Share of the events where brightness rose; one half without events."""
        return self.num_rising / self.num_kept if self.num_kept else 0.5


class EventStatistics:
    """Accumulates an `EventQuality`; the cuts between chunks do not affect the result."""

    def __init__(self, height: int, width: int, settings: QualitySettings) -> None:
        self._settings = settings
        self._counts: UInt32[np.ndarray, "H W"] = np.zeros((height, width), np.uint32)
        self._bins = np.zeros(NUM_BINS, np.int64)
        self._shift = _FIRST_SHIFT
        self._gaps = np.zeros(4, np.int64)
        self._num_kept = self._num_rising = 0
        self._num_dropped = self._num_early = self._num_late = 0
        self._start_us = self._last_us = 0

    def add(self, events: Events) -> None:
        """Add the next chunk of the recording."""
        # Numba takes a second to import, which the command line must not wait for.
        from etram_pipeline.quality import kernels

        self._num_dropped += events.num_dropped
        self._num_early += events.num_early
        self._num_late += events.num_late
        if len(events) == 0:
            return
        if self._num_kept == 0:
            self._start_us = self._last_us = int(events.t_us[0])
        kernels.add_gaps(events.t_us, self._last_us, 1000 * self._settings.gap_ms, self._gaps)
        self._last_us = int(events.t_us[-1])
        self._widen_bins()
        kernels.add_rates(events.t_us, self._start_us, self._shift, self._bins)
        self._num_rising += kernels.add_pixels(events.x, events.y, events.polarity, self._counts)
        self._num_kept += len(events)

    def result(self) -> EventQuality:
        """The measurements of all chunks so far."""
        num_bins = ((self._last_us - self._start_us) >> self._shift) + 1 if self._num_kept else 0
        num_gaps, gaps_us, longest_gap_us, longest_gap_start_us = self._gaps.tolist()
        num_hot, num_hot_events, hottest = self._hot_pixels()
        return EventQuality(
            num_events=self._num_kept + self._num_dropped + self._num_early,
            num_dropped=self._num_dropped,
            num_early=self._num_early,
            num_late=self._num_late,
            start_us=self._start_us,
            last_us=self._last_us,
            num_rising=self._num_rising,
            bin_us=1 << self._shift,
            events_of_bin=tuple(self._bins[:num_bins].tolist()),
            num_gaps=num_gaps,
            gaps_us=gaps_us,
            longest_gap_us=longest_gap_us,
            longest_gap_start_us=longest_gap_start_us,
            num_hot_pixels=num_hot,
            num_hot_events=num_hot_events,
            hottest=hottest,
        )

    def _widen_bins(self) -> None:
        """Merge neighbouring bins until they cover the last event."""
        while (self._last_us - self._start_us) >> self._shift >= NUM_BINS:
            joined = self._bins.reshape(-1, 2).sum(axis=1)
            self._bins = np.concatenate([joined, np.zeros_like(joined)])
            self._shift += 1

    def _hot_pixels(self) -> tuple[int, int, tuple[HotPixel, ...]]:
        from etram_pipeline.quality import kernels

        duration_s = (self._last_us - self._start_us) / 1e6
        if not duration_s:
            return 0, 0, ()
        least = max(self._settings.hot_pixel_hz * duration_s, _LEAST_HOT_EVENTS)
        hot = kernels.find_hot_pixels(self._counts, least, self._settings.hot_pixel_factor)
        rows, columns = np.nonzero(hot)
        counts = self._counts[rows, columns].astype(np.int64)
        worst = np.argsort(-counts, kind="stable")[:NUM_WORST]
        hottest = tuple(
            HotPixel(x=int(columns[i]), y=int(rows[i]), rate_hz=round(counts[i] / duration_s, 1))
            for i in worst
        )
        return len(counts), int(counts.sum()), hottest


class LastEvents:
    """Finds the last event at or before each of some times, while a recording is read."""

    def __init__(self, times_us: Int64[np.ndarray, " M"]) -> None:
        """Set the times to look for.

        Args:
            times_us: Times in ascending order, in microseconds.
        """
        self._times_us = times_us
        self._found_us = np.full(len(times_us), -1, np.int64)
        self._num_done = 0
        self._latest_us = -1

    def add(self, events: Events) -> None:
        """Add the next chunk of the recording."""
        if len(events) == 0:
            return
        first_us, last_us = int(events.t_us[0]), int(events.t_us[-1])
        self._settle(int(np.searchsorted(self._times_us, first_us)))
        # The next chunk may start at the time of the last event, but never earlier.
        stop = int(np.searchsorted(self._times_us, last_us, side="right"))
        asked_us = self._times_us[self._num_done : stop]
        latest = np.searchsorted(events.t_us, asked_us, side="right") - 1
        self._found_us[self._num_done : stop] = events.t_us[latest]
        self._num_done, self._latest_us = max(self._num_done, stop), last_us

    def result(self) -> Int64[np.ndarray, " M"]:
        """Time of the last event at or before each time, in microseconds; -1 without one."""
        self._settle(len(self._times_us))
        return self._found_us

    def _settle(self, stop: int) -> None:
        """Assign the last event so far to all open times before `stop`."""
        self._found_us[self._num_done : stop] = self._latest_us
        self._num_done = max(self._num_done, stop)
