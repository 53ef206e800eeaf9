"""The columns of events in an HDF5 file, checked and read without a trace of HDF5's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin  # noqa: F401  registers the filters that recordings are compressed with
import numpy as np
import numpy.typing as npt

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.hdf5_layout import (
    HDF5_ERRORS,
    ColumnLayout,
    check_filters,
    filters_of,
    find_layout,
    is_whole,
)
from etram_pipeline.events.recording import LARGEST_SIZE

_NAMES = ("x", "y", "p", "t")
_TAIL_EVENTS = 2**14
_LARGEST_OFFSET_US = 2**62
_REMEDY = "fetch or write the file again"


class EventColumns:
    """The datasets `x`, `y`, `p` and `t` of the group `events` of an open file.

    Attributes:
        num_events: Length of each.
        types: Type of each.
        tail_start: Row at which the chunk begins that holds the 16 384th last time.
        largest_chunk_bytes: Size of the largest chunk of any column.
        sensor_size: Height and width of the sensor in px; None where the file does not say them.
        offset_us: What to add to all times; DSEC's files keep it beside the events.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path = path
        self._file = file
        self._group = _events_group(path, file)
        self._columns = {name: self._column(name) for name in _NAMES}
        lengths = {name: len(column) for name, column in self._columns.items()}
        if len(set(lengths.values())) > 1:
            raise RecordingError(
                f"{path}: the columns of `events` have different lengths, {lengths}; {_REMEDY}"
            )
        self.num_events = lengths["t"]
        self.types = {name: column.dtype for name, column in self._columns.items()}
        self.sensor_size = self._read_size()
        self.offset_us = self._read_offset()
        self.largest_chunk_bytes = max(
            (column.chunks or (0,))[0] * column.dtype.itemsize for column in self._columns.values()
        )
        chunk = (self._columns["t"].chunks or (1,))[0]
        self.tail_start = max(self.num_events - _TAIL_EVENTS, 0) // chunk * chunk

    def fill(self, name: str, first: int, rows: npt.NDArray[Any]) -> None:
        """Fill an array with rows of a column from `first` on.

        Raises:
            RecordingError: If they cannot be read.
        """
        last = first + len(rows)
        try:
            self._columns[name].read_direct(rows, np.s_[first:last])
        except HDF5_ERRORS as error:
            raise RecordingError(
                f"{self._path}: rows {first} to {last} of events/{name} cannot be read ({error}); "
                f"{_REMEDY}"
            ) from error

    def _read_size(self) -> tuple[int, int] | None:
        found = [name for name in ("height", "width") if name in self._group]
        if not found:
            return None
        sides = [self._scalar(self._group[name]) for name in found]
        if len(sides) == 1 or not all(1 <= side <= LARGEST_SIZE for side in sides):
            raise RecordingError(
                f"{self._path}: events holds {dict(zip(found, sides, strict=True))}; height and "
                f"width must both be there and from 1 to {LARGEST_SIZE}: correct them or remove "
                "both and set the parameters dataset.height and dataset.width"
            )
        return sides[0], sides[1]

    def _read_offset(self) -> int:
        if "t_offset" not in self._file:
            return 0
        offset_us = self._scalar(self._file["t_offset"])
        if abs(offset_us) > _LARGEST_OFFSET_US:
            raise RecordingError(
                f"{self._path}: t_offset is {offset_us}, but no clock is older than "
                f"{_LARGEST_OFFSET_US} us; correct or remove it"
            )
        return offset_us

    def layouts(self) -> dict[str, ColumnLayout] | None:
        """Where each column lies in the file; None where HDF5 must read one of them."""
        try:
            found = {name: find_layout(self._path, each) for name, each in self._columns.items()}
        except HDF5_ERRORS:
            return None  # HDF5 tells what is wrong when it reads the rows
        known = {name: layout for name, layout in found.items() if layout is not None}
        return known if len(known) == len(found) else None

    def _scalar(self, entry: h5py.Dataset | h5py.Group) -> int:
        try:
            value = np.asarray(entry[()]).item()
            if int(value) != value:
                raise ValueError(f"it is {value!r}")
            return int(value)
        except (*HDF5_ERRORS, AttributeError) as error:
            raise RecordingError(
                f"{self._path}: {entry.name.lstrip('/')} is not a whole number ({error}); correct "
                "or remove it"
            ) from error

    def _column(self, name: str) -> h5py.Dataset:
        if name not in self._group:
            raise RecordingError(
                f"{self._path}: events has no column {name!r}, only {sorted(self._group)}; "
                f"needed are {list(_NAMES)}"
            )
        column = self._group[name]
        if not isinstance(column, h5py.Dataset) or column.ndim != 1:
            raise RecordingError(f"{self._path}: events/{name} is not a one-dimensional dataset")
        if column.dtype.kind not in ("iub" if name == "p" else "iu"):
            raise RecordingError(
                f"{self._path}: events/{name} holds {column.dtype}, but must hold integers; write "
                "the recording again, times in whole microseconds"
            )
        if not is_whole(column, self._file):
            raise RecordingError(
                f"{self._path}: events/{name} lies in another file, of whose change nobody would "
                "know; copy it into this one"
            )
        check_filters(filters_of(column), f"{self._path}: events/{name}")
        self._check_written(name, column)
        return column

    def _check_written(self, name: str, column: h5py.Dataset) -> None:
        """HDF5 reads what was never written as zeros, which would be taken for events."""
        if column.chunks is not None:
            wanted = -(-len(column) // column.chunks[0])
            found = column.id.get_num_chunks()
        else:
            wanted = min(1, len(column))
            found = min(1, column.id.get_storage_size())
        if found < wanted:
            raise RecordingError(
                f"{self._path}: only {found} of {wanted} chunks of events/{name} were ever written;"
                f" {_REMEDY}"
            )


@contextmanager
def open_columns(path: Path, cache_bytes: int = 2**20) -> Iterator[EventColumns]:
    """The columns of a file, open within the block.

    Args:
        path: An HDF5 file.
        cache_bytes: Memory for the chunks of one column. A chunk that does not fit is decompressed
            anew for every stretch read from it.

    Raises:
        RecordingError: If it is damaged, or holds something else than events.
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


def _events_group(path: Path, file: h5py.File) -> h5py.Group:
    group = file.get("events")
    if not isinstance(group, h5py.Group):
        raise RecordingError(
            f"{path}: holds {sorted(file)}, but a recording has a group `events` with columns "
            f"{list(_NAMES)}"
        )
    return group
