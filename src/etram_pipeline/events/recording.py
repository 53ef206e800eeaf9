"""Events as read from a sensor, and the one interface of every recording."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Int64, UInt8, UInt16

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.fingerprint import file_identity

LARGEST_SIZE = 2**16
"""Most rows or columns a sensor may have, so that 16 bits hold a coordinate."""


@dataclass(frozen=True, slots=True)
class Events:
    """Events of a stretch of a recording, in order of time.

    Attributes:
        x: Column of each event, in px from the left.
        y: Row of each event, in px from the top.
        t_us: Time of each event, in microseconds; never decreases.
        polarity: 1 where brightness rose, 0 where it fell.
        num_dropped: Events of this stretch that lay outside the sensor and were left out.
        num_late: Events of this stretch that the file timed before an earlier one, and that were
            given the time of that one.
        num_early: Events just before this stretch that were timed before zero and were left out.
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
    """A recording on disk: a picklable handle that holds a path and opens it while reading.

    Attributes:
        path: The file.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        num_bytes_ignored: Bytes at the end of the file that are less than a whole part of it, as
            far as it was read; more than 0 where the recording was cut off.
    """

    path: Path
    height: int
    width: int
    num_bytes_ignored: int = 0

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
            RecordingError: If the file is damaged; names the file and the place.
        """

    def __fingerprint__(self) -> object:
        return file_identity(self.path)


def open_recording(
    path: str | Path, *, size: tuple[int, int] | None = None, index: Path | None = None
) -> Recording:
    """Recording in any supported format, told by content, not by suffix.

    Reading from the middle begins where the handle knows the time, which is as far as it was read.
    With an index it knows all times at once.

    Args:
        path: eTraM or RVT HDF5, HDF5 with rows of events, Prophesee RAW (EVT2, EVT2.1, EVT3), DAT
            or HDF5, AEDAT4, NumPy's .npy or .npz, or text that states the unit of its times.
        size: Height and width in px, used when the file does not say them.
        index: File to keep the times in. One that was made of the same recording is used as it is;
            otherwise the recording is read once and the file written, whole or not at all.

    Raises:
        RecordingError: If there is no such file, its format is not known, or it is damaged; or if
            the index cannot be written.
    """
    from etram_pipeline.events.formats.content import open_by_content

    path = Path(path)
    if size is not None and not all(1 <= side <= LARGEST_SIZE for side in size):
        raise ValueError(f"height and width must be from 1 to {LARGEST_SIZE} px; got {size}")
    try:
        if path.is_dir():
            raise RecordingError(f"{path}: this is a folder; give the file of one recording in it")
        if not path.is_file():
            raise RecordingError(f"{path}: there is no such file; check the path")
        recording = open_by_content(path, size)
    except OSError as error:
        raise RecordingError(f"{path}: the file cannot be read: {error}") from error
    if index is not None:
        recording.use_index(index)
    return recording
