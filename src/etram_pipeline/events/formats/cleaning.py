"""What every recording promises of its events, whatever file they come from."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Int64, Integer, Shaped

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.recording import Events, Recording


@dataclass(frozen=True)
class Columns:
    """Events as a file holds them, of any integer type and possibly outside the sensor.

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


class Clock:
    """Running maximum of a recording's times, carried from one stretch to the next.

    Attributes:
        latest_us: Time of the last event so far; None before the first.
    """

    def __init__(self, path: Path, latest_us: int | None = None) -> None:
        self._path = path
        self.latest_us = latest_us

    def raise_late(self, t_us: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        """The times of the next stretch, late ones raised to the latest time before them.

        Returns:
            The given array itself where no time is late.

        Raises:
            RecordingError: If the recording begins before time zero.
        """
        if len(t_us) == 0:
            return t_us
        if self.latest_us is None:
            self._check_start(int(t_us[0]))
        floor_us = 0 if self.latest_us is None else self.latest_us
        if t_us[0] < floor_us or (t_us[1:] < t_us[:-1]).any():
            t_us = np.maximum(np.maximum.accumulate(t_us), floor_us)
        self.latest_us = int(t_us[-1])
        return t_us

    def _check_start(self, start_us: int) -> None:
        if start_us < 0:
            raise RecordingError(
                f"{self._path}: the first event is at {start_us} us, before time zero; shift the "
                "times so that they begin at zero or later, and the labels with them"
            )


def cut(
    t_us: Int64[np.ndarray, " N"], start_us: int | None, stop_us: int | None
) -> tuple[int, int]:
    """Indices of the first event and of the one after the last with `start_us <= t_us < stop_us`.

    Args:
        t_us: Times that never decrease.
        start_us: None for the beginning.
        stop_us: None for the end.
    """
    first = 0 if start_us is None else int(np.searchsorted(t_us, start_us))
    last = len(t_us) if stop_us is None else int(np.searchsorted(t_us, stop_us))
    return first, max(first, last)


def clean(columns: Columns, t_us: Int64[np.ndarray, " N"], recording: Recording) -> Events:
    """Events inside the sensor, with polarity 0 or 1, in arrays of their own.

    Args:
        columns: Events as the file holds them.
        t_us: Their times after late ones were raised.
        recording: Where they come from: its size says what is inside, its path where a fault is.

    Raises:
        RecordingError: If a polarity is above 1.
    """
    if columns.polarity.max(initial=0) > 1:
        raise RecordingError(
            f"{recording.path}: an event between {t_us[0]} and {t_us[-1]} us has "
            f"polarity {columns.polarity.max()}, but polarity is 0 or 1, or -1 or 1; write the "
            "recording again with such polarities"
        )
    inside = _within(columns.x, recording.width) & _within(columns.y, recording.height)
    num_dropped = len(inside) - int(np.count_nonzero(inside))
    kept = inside if num_dropped else slice(None)
    return Events(
        x=columns.x[kept].astype(np.uint16),
        y=columns.y[kept].astype(np.uint16),
        t_us=t_us[kept].copy(),
        polarity=(columns.polarity[kept] > 0).astype(np.uint8),
        num_dropped=num_dropped,
        num_late=int(np.count_nonzero(columns.t_us != t_us)),
    )


def _within(values: Integer[np.ndarray, " N"], size: int) -> Bool[np.ndarray, " N"]:
    below = values < size
    return below & (values >= 0) if np.issubdtype(values.dtype, np.signedinteger) else below
