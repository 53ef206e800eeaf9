"""Bins of time on the clock."""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.tracks.observed import Observed

_US_PER_MINUTE = 60_000_000


@dataclass(frozen=True, eq=False)
class Bins:
    """Bins of one length that cover what was observed of a recording.

    Attributes:
        minutes: Length of each bin.
        starts_us: Start of each bin, in microseconds of the recording; the first may be negative,
            since bins begin on the clock.
        observed_s: How much of each bin was observed, in seconds.
    """

    minutes: int
    starts_us: Int64[np.ndarray, " B"]
    observed_s: Float64[np.ndarray, " B"]

    def index(self, times_us: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """Bin of each time; the end of what was observed belongs to the last bin."""
        bins: Int64[np.ndarray, " N"] = np.minimum(
            (times_us - self.starts_us[0]) // self.length_us, len(self.starts_us) - 1
        )
        return bins

    @property
    def length_us(self) -> int:
        """Length of each bin, in microseconds."""
        return self.minutes * _US_PER_MINUTE

    @property
    def edges_us(self) -> Int64[np.ndarray, " E"]:
        """Starts of all bins, and the end of the last."""
        return np.append(self.starts_us, self.starts_us[-1] + self.length_us)


def clock_bins(minutes: int, observed: Observed, zero: datetime | None) -> Bins:
    """Bins that begin at whole multiples of their length after midnight.

    Args:
        minutes: Length of each bin; divides a day.
        observed: The time that the bins cover; an empty one gets one bin without observation.
        zero: Clock time at time zero of the recording; None: bins begin at time zero.
    """
    length_us = minutes * _US_PER_MINUTE
    offset_us = 0 if zero is None else _after_midnight_us(zero)
    first = (observed.start_us + offset_us) // length_us
    stop = max(-(-(observed.stop_us + offset_us) // length_us), first + 1)
    starts_us = np.arange(first, stop, dtype=np.int64) * length_us - offset_us
    until_us = np.minimum(starts_us + length_us, observed.stop_us)
    observed_us = until_us - np.maximum(starts_us, observed.start_us)
    return Bins(minutes, starts_us, observed_us / 1e6)


def clock_zero(start_time: datetime | None, observed: Observed) -> datetime | None:
    """Clock time at time zero of a recording, at a fixed offset from UTC, if it has any.

    Args:
        start_time: When the recording began, as the user says, which takes precedence.
        observed: What the recording says.
    """
    began = observed.started_at if start_time is None else start_time
    if began is None:
        return None
    offset = began.utcoffset()
    if offset is not None:  # else summer time would begin or end between bins
        began = began.astimezone(timezone(offset))
    # Nobody knows what time it is at time zero of a camera that was switched on earlier.
    return began if start_time is None else began - timedelta(microseconds=observed.start_us)


def clock_texts(
    zero: datetime | None, times_us: Int64[np.ndarray, " N"], timespec: str = "seconds"
) -> list[str]:
    """Clock times as ISO 8601; empty without a clock.

    Args:
        zero: Clock time at time zero of the recording.
        times_us: Times, in microseconds of the recording.
        timespec: Precision, as `datetime.isoformat` takes it.
    """
    if zero is None:
        return [""] * len(times_us)
    return [
        (zero + timedelta(microseconds=time_us)).isoformat(timespec=timespec)
        for time_us in times_us.tolist()
    ]


def _after_midnight_us(zero: datetime) -> int:
    midnight = zero.replace(hour=0, minute=0, second=0, microsecond=0)
    return (zero - midnight) // timedelta(microseconds=1)
