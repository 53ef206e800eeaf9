"""Makes the events of any file conform to the interface of `Recording`."""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Int64, Integer, Shaped, UInt8

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events


@dataclass(frozen=True)
class Columns:
    """Events as stored in a file, of any integer type and possibly outside the sensor.

    Attributes:
        x: Column of each event, in px.
        y: Row of each event, in px.
        t_us: Time of each event, in microseconds.
        polarity: Positive where brightness rose, 0 or negative where it fell.
    """

    x: Integer[np.ndarray, " N"]
    y: Integer[np.ndarray, " N"]
    t_us: Int64[np.ndarray, " N"]
    polarity: Shaped[np.ndarray, " N"]

    def slice(self, first: int, last: int) -> "Columns":
        """Events `first` to `last`, excluded, as views of this object's arrays."""
        span = slice(first, last)
        return Columns(self.x[span], self.y[span], self.t_us[span], self.polarity[span])


@dataclass(frozen=True)
class Origin:
    """Where events are from.

    Attributes:
        name: File or stream, for messages.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
    """

    name: object
    height: int
    width: int


class RunningMaximum:
    """Running maximum of the times of a recording, across chunks.

    Attributes:
        latest_us: Time of the last event so far; None before the first.
    """

    def __init__(self, latest_us: int | None = None) -> None:
        self.latest_us = latest_us

    def raise_late(self, t_us: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """The times of the next chunk, with late ones raised to the latest time before them.

        Returns:
            The given array itself if no time is late.
        """
        if len(t_us) == 0:
            return t_us
        floor_us = int(t_us[0]) if self.latest_us is None else self.latest_us
        if t_us[0] < floor_us or (t_us[1:] < t_us[:-1]).any():
            t_us = np.maximum(np.maximum.accumulate(t_us), floor_us)
        self.latest_us = int(t_us[-1])
        return t_us

    def has_reached(self, stop_us: int | None) -> bool:
        """Whether all later events are at or after `stop_us`."""
        return stop_us is not None and self.latest_us is not None and self.latest_us >= stop_us


def select(
    columns: Columns,
    maximum: RunningMaximum,
    origin: Origin,
    span_us: tuple[int | None, int | None],
) -> Events | None:
    """The clean events of a chunk within a time span.

    Events before time zero are left out; they are counted if the span has no start.

    Args:
        columns: The next chunk of the recording.
        maximum: Running maximum up to the previous chunk; advanced to the end of this one.
        origin: Where they are from.
        span_us: Start, included, and stop, excluded, in microseconds; None: the start or end of the
            recording.

    Returns:
        None if there are no events to report.

    Raises:
        RecordingError: If a polarity is greater than 1.
    """
    start_us, stop_us = span_us
    times_us = maximum.raise_late(columns.t_us)
    first, last = cut(times_us, max(start_us or 0, 0), stop_us)
    num_early = int(np.searchsorted(times_us, 0)) if start_us is None else 0
    if last == first and not num_early:
        return None
    events = clean(columns.slice(first, last), times_us[first:last], origin)
    return replace(events, num_early=num_early) if num_early else events


def cut(
    t_us: Int64[np.ndarray, " N"], start_us: int | None, stop_us: int | None
) -> tuple[int, int]:
    """Indices of the first event and of the one after the last with `start_us <= t_us < stop_us`.

    Args:
        t_us: Times in non-decreasing order, in microseconds.
        start_us: None for the beginning.
        stop_us: None for the end.
    """
    first = 0 if start_us is None else int(np.searchsorted(t_us, start_us))
    last = len(t_us) if stop_us is None else int(np.searchsorted(t_us, stop_us))
    return first, max(first, last)


def clean(columns: Columns, t_us: Int64[np.ndarray, " N"], origin: Origin) -> Events:
    """Events inside the sensor, with polarity 0 or 1, in new arrays.

    Args:
        columns: Events as stored in the file.
        t_us: Their times, with late ones raised, in microseconds.
        origin: Where they are from, for the size of the sensor and for messages.

    Raises:
        RecordingError: If a polarity is greater than 1.
    """
    # Numba takes a second to import, which opening a file must not require.
    from etram_pipeline.events.kernels import copy_checked

    size = origin.height, origin.width
    x, y, polarity = (_native(each) for each in (columns.x, columns.y, columns.polarity))
    copies = np.empty(len(x), np.uint16), np.empty(len(x), np.uint16), np.empty(len(x), np.uint8)
    num_dropped, has_foreign_polarity = copy_checked((x, y, polarity), size, copies)
    if has_foreign_polarity and not _take_largest_for_falling(polarity, copies[2]):
        raise RecordingError(
            f"{origin.name}: an event between {t_us[0]} and {t_us[-1]} us has "
            f"polarity {polarity.max()}, but polarity must be 0 or 1, or -1 or 1; write the "
            "recording again with such polarities"
        )
    inside = _within(x, size[1]) & _within(y, size[0]) if num_dropped else slice(None)
    is_raised = _address(columns.t_us) != _address(t_us)
    return Events(
        x=copies[0][inside],
        y=copies[1][inside],
        t_us=t_us[inside] if num_dropped else t_us.copy(),
        polarity=copies[2][inside],
        num_dropped=num_dropped,
        num_late=int(np.count_nonzero(columns.t_us != t_us)) if is_raised else 0,
    )


def _take_largest_for_falling(
    polarity: Shaped[np.ndarray, " N"], copy: UInt8[np.ndarray, " N"]
) -> bool:
    """Replace a -1 that was stored as an unsigned number by 0; False if other values occur.

    Next to zeros and without any 1, such a value may also stand for rising brightness.
    """
    if polarity.dtype.kind != "u":
        return False
    is_largest = polarity == np.iinfo(polarity.dtype).max
    is_rising = polarity == 1
    if np.any((polarity > 1) & ~is_largest) or (np.any(polarity == 0) and not is_rising.any()):
        return False
    copy[is_largest] = 0
    return True


def _native(values: Shaped[np.ndarray, " N"]) -> Shaped[np.ndarray, " N"]:
    return values.astype(values.dtype.newbyteorder("="), copy=False)


def _address(values: Shaped[np.ndarray, " N"]) -> int:
    address: int = values.__array_interface__["data"][0]
    return address


def _within(values: Integer[np.ndarray, " N"], size: int) -> Bool[np.ndarray, " N"]:
    return (values >= 0) & (values < size)
