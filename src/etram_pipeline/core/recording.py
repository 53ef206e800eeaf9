"""Events as read from a sensor, and the one interface of every recording."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

from etram_pipeline.core.fingerprint import file_identity

Clock = Literal["file", "from_zero", "sdk"]
"""Which moment has the time 0. `file`: that of the times in the file. `from_zero`: the first event.
`sdk`: the one from which Prophesee's SDK counts the times of a RAW file; other files are read as by
`file`."""

LARGEST_SIZE = 2**16
"""Most rows or columns of a sensor, so that a coordinate fits into 16 bits."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a part of a recording, in order of time.

    Attributes:
        x: Column of each event, in px from the left.
        y: Row of each event, in px from the top.
        t_us: Time of each event, in microseconds; never decreases.
        polarity: 1 where brightness rose, 0 where it fell.
        num_dropped: Events of this part that lay outside the sensor and were left out.
        num_late: Events of this part with a timestamp below that of an earlier event; they were
            given the timestamp of that event.
        num_early: Events just before this part with a negative timestamp, which were left out.
    """

    x: UInt16[np.ndarray, " N"]
    y: UInt16[np.ndarray, " N"]
    t_us: Int64[np.ndarray, " N"]
    polarity: UInt8[np.ndarray, " N"]
    num_dropped: int = 0
    num_late: int = 0
    num_early: int = 0

    def __len__(self) -> int:
        return len(self.t_us)

    def slice(self, first: int, last: int) -> "Events":
        """Events `first` to `last`, excluded, as views of this object's arrays."""
        span = slice(first, last)
        return Events(self.x[span], self.y[span], self.t_us[span], self.polarity[span])


class Recording(ABC):
    """A recording on disk: a picklable handle that opens the file only while reading.

    Attributes:
        path: The file.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        num_bytes_ignored: Bytes at the end of the file that do not make a complete record, as far
            as the file was read; greater than 0 where the recording was cut off.
        started_at: Clock time of the first event, with a time zone if the file states one; None if
            the time is unknown.
    """

    path: Path
    height: int
    width: int
    num_bytes_ignored: int = 0
    started_at: datetime | None = None

    @property
    @abstractmethod
    def num_events(self) -> int:
        """Events in the file, before any is dropped."""

    @property
    @abstractmethod
    def start_us(self) -> int:
        """Time of the first event, in microseconds; 0 without events."""

    @property
    @abstractmethod
    def stop_us(self) -> int:
        """Time just after the last event, in microseconds; 0 without events."""

    @abstractmethod
    def read(self, start_us: int | None = None, stop_us: int | None = None) -> Iterator[Events]:
        """Events with `start_us <= t_us < stop_us`, in order, in chunks of bounded size.

        Times are made non-decreasing by a running maximum, polarity becomes 0 or 1, and events
        outside the sensor are left out and counted.

        Raises:
            RecordingError: If the file is damaged; names the file and the position.
        """

    def offset_of(self, clock: Clock) -> int:
        """How much later than by its own times the recording has the 0 of a clock, in microseconds.

        Raises:
            RecordingError: If the file is damaged.
        """
        return self.start_us if clock == "from_zero" else 0

    def __fingerprint__(self) -> object:
        return file_identity(self.path)
