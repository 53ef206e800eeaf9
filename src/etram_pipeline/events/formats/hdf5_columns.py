"""The event columns of an HDF5 file; errors of HDF5 become errors that name the file."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters that recordings are compressed with
import numpy as np
import numpy.typing as npt

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.formats.hdf5_layout import (
    HDF5_ERRORS,
    ColumnLayout,
    check_stored,
    find_layout,
)
from etram_pipeline.events.formats.hdf5_places import (
    find_events,
    read_offset,
    read_size,
    read_unit,
)

_NAMES = ("x", "y", "p", "t")
_TAIL_EVENTS = 2**14
_REMEDY = "fetch or write the file again"


class EventColumns:
    """The datasets `x`, `y`, `p` and `t` in the group of an open file that holds the events.

    Attributes:
        num_events: Length of each column.
        types: Type of each column.
        times: Unit and offset of the times.
        tail_start: First row of the chunk that holds the 16 384th last time.
        largest_chunk_bytes: Size of the largest chunk of any column.
        sensor_size: Height and width of the sensor in px; None if the file does not state them.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path = path
        self._file = file
        place = find_events(path, file)
        if not isinstance(place.entry, h5py.Group):
            raise RecordingError(f"{path}: has changed while it was opened; open it again")
        group = place.entry.name.strip("/")
        self._places = {name: f"{group}/{place.fields.names[name]}".lstrip("/") for name in _NAMES}
        self._columns = {name: self._column(name) for name in _NAMES}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise RecordingError(
                f"{path}: the columns of `events` have different lengths, {lengths}; {_REMEDY}"
            )
        self.num_events = lengths["t"]
        self.types = {name: column.dtype for name, column in self._columns.items()}
        self.sensor_size = read_size(path, place)
        self.times = TimeColumn(
            path,
            self._places["t"],
            self.types["t"],
            place.fields.unit or read_unit(path, self._columns["t"]) or "us",
            read_offset(path, place),
        )
        self.largest_chunk_bytes = max(
            (column.chunks or (0,))[0] * column.dtype.itemsize for column in self._columns.values()
        )
        chunk = (self._columns["t"].chunks or (1,))[0]
        self.tail_start = max(self.num_events - _TAIL_EVENTS, 0) // chunk * chunk

    def fill(self, name: str, first: int, rows: npt.NDArray[Any]) -> None:
        """Fill an array with rows of a column.

        Args:
            name: `x`, `y`, `p` or `t`.
            first: First row.
            rows: Array to fill, of the type of the column.

        Raises:
            RecordingError: If they cannot be read.
        """
        last = first + len(rows)
        try:
            self._columns[name].read_direct(rows, np.s_[first:last])
        except HDF5_ERRORS as error:
            raise RecordingError(
                f"{self._path}: rows {first} to {last} of {self._places[name]} cannot be read "
                f"({error}); {_REMEDY}"
            ) from error

    def layouts(self) -> dict[str, ColumnLayout] | None:
        """Layout of each column in the file; None if any of them must be read by HDF5."""
        try:
            found = {name: find_layout(self._path, each) for name, each in self._columns.items()}
        except HDF5_ERRORS:
            return None  # HDF5 reports the fault when it reads the rows
        known = {name: layout for name, layout in found.items() if layout is not None}
        return known if len(known) == len(found) else None

    def _column(self, name: str) -> h5py.Dataset:
        where = self._places[name]
        column = self._file[where]
        if not isinstance(column, h5py.Dataset) or column.ndim != 1:
            raise RecordingError(f"{self._path}: {where} is not a one-dimensional dataset")
        if column.dtype.kind not in ("iub" if name == "p" else "iu"):
            raise RecordingError(
                f"{self._path}: {where} holds {column.dtype}, but must hold integers; write "
                "the recording again, times in whole microseconds"
            )
        check_stored(column, self._file, f"{self._path}: {where}")
        return column


@contextmanager
def open_columns(path: Path, cache_bytes: int = 2**20) -> Iterator[EventColumns]:
    """The event columns of a file, which is open within the block.

    Args:
        path: An HDF5 file.
        cache_bytes: Memory for the chunks of one column. A chunk that does not fit is decompressed
            again for every part that is read from it.

    Raises:
        RecordingError: If it is damaged, or does not hold events.
    """
    try:
        file = h5py.File(path, "r", rdcc_nbytes=cache_bytes)
    except HDF5_ERRORS as error:
        raise RecordingError(f"{path}: HDF5 cannot open the file ({error}); {_REMEDY}") from error
    with file:
        try:
            columns = EventColumns(path, file)
        except RecordingError:
            raise
        except HDF5_ERRORS as error:
            raise RecordingError(
                f"{path}: the columns of `events` cannot be read ({error}); {_REMEDY}"
            ) from error
        yield columns
