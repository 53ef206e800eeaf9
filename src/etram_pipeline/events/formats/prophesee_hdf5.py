"""Prophesee's HDF5 recordings: one dataset of events, compressed with ECF or HDF5's filters."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import h5py
import hdf5plugin  # noqa: F401  registers the filters that recordings may be compressed with
import numpy as np
from jaxtyping import UInt8
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats import ecf
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.counter import TimeColumn
from etram_pipeline.events.formats.encoding import EventArrays, allocate, columns_of
from etram_pipeline.events.formats.hdf5_attributes import read_texts
from etram_pipeline.events.formats.hdf5_layout import (
    HDF5_ERRORS,
    check_filters,
    check_uncompressed,
    filters_of,
    is_whole,
)
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.prophesee_header import Header
from etram_pipeline.events.formats.time_index import Mark, TimeIndex

_GROUP, _NAME = "CD", "CD/events"
_BLOCK_EVENTS = 2**16
_LARGEST_CHUNK_BYTES = 2**28
_LEAST_CACHE_BYTES = 2**20
_REMEDY = "fetch the file again, or convert it from RAW again"


class PropheseeRecording(IndexedRecording):
    """A recording in the HDF5 layout of Prophesee's Metavision.

    The file has a dataset `CD/events` of x, y, p and t, in chunks of 16 384 events that are
    compressed one by one. The header of the RAW file is stored as attributes of the root. Times are
    those of the file, whether or not they were shifted when it was written.

    Source: prophesee-ai/openeb, sdk/modules/stream/cpp/src/hdf5_event_file_writer.cpp.
    """

    stored_name: ClassVar[str] = "PropheseeRecording"

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        super().__init__(path)
        with _open(path) as file:
            events = _Events(path, file)
            self._num_events = events.num_events
            self._block_events = events.block_events
            # Two chunks, because the events of one chunk may belong to two blocks.
            self._cache_bytes = max(_LEAST_CACHE_BYTES, 2 * events.chunk_bytes)
            self._times = TimeColumn(path, f"t of {_NAME}", events.time_type)
            fields = {**_attributes(path, file), **_attributes(path, file[_GROUP])}
        self.height, self.width = Header(path, fields, 0).sensor_size(otherwise=size)
        self._index = TimeIndex(Mark(state=self._times.start))

    @property
    @override
    def num_events(self) -> int:
        return self._num_events

    @property
    @override
    def _blocks_recipe(self) -> list[object]:
        return [*super()._blocks_recipe, self._block_events]

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        with _open(self.path, self._cache_bytes) as file:
            events = _Events(self.path, file)
            for number in range(block, -(-self._num_events // self._block_events)):
                columns = events.read_block(number)
                t_us, state = self._times.read(columns.t_us, state)
                yield Block(replace(columns, t_us=t_us), state)


class _Events:
    """The checked dataset of events in an open file.

    Attributes:
        num_events: Its length.
        time_type: Type of its times.
        block_events: Events of every block except the last; whole chunks if they are ECF.
        chunk_bytes: Size of a chunk before compression.
    """

    def __init__(self, path: Path, file: h5py.File) -> None:
        self._path = path
        self._dataset = self._checked(file[_NAME], file)
        self.num_events = len(self._dataset)
        self.time_type = self._dataset.dtype["t"]
        self._chunk_events = (self._dataset.chunks or (1,))[0]
        self.chunk_bytes = self._chunk_events * self._dataset.dtype.itemsize
        self._largest_chunk_bytes = ecf.MOST_BYTES_PER_EVENT * (self._chunk_events + 1)
        self._is_ecf = self._filters() == [ecf.FILTER]
        self.block_events = _BLOCK_EVENTS
        if self._is_ecf:
            self._check_ecf()
            self.block_events = max(_BLOCK_EVENTS // self._chunk_events, 1) * self._chunk_events

    def read_block(self, number: int) -> Columns:
        """Events of a block."""
        first = number * self.block_events
        last = min(first + self.block_events, self.num_events)
        if self._is_ecf:
            return self._read_ecf(first, last)
        rows = self._dataset[first:last]
        x, y, polarity = (np.ascontiguousarray(rows[name]) for name in "xyp")
        return Columns(x, y, rows["t"].astype(np.int64), polarity)

    def _read_ecf(self, first: int, last: int) -> Columns:
        num_chunks = -(-(last - first) // self._chunk_events)
        arrays = allocate(num_chunks * self._chunk_events)
        for chunk in range(num_chunks):
            start = chunk * self._chunk_events
            stop = start + self._chunk_events
            x, y, t_us, polarity = (array[start:stop] for array in arrays)
            found = self._read_chunk(first + start, (x, y, t_us, polarity))
            # The last chunk may be padded to its full length with invalid events.
            wanted = min(self._chunk_events, last - first - start)
            if found < wanted:
                raise RecordingError(
                    f"{self._path}: {self._place(first + start)} of {_NAME} holds "
                    f"{'no ECF data' if found < 0 else f'only {found} of {wanted} events'}, so "
                    f"the file is damaged; {_REMEDY}"
                )
        return columns_of(arrays, last - first)

    def _read_chunk(self, first: int, arrays: EventArrays) -> int:
        """Fill arrays with the events of a chunk; return their number, negative if damaged."""
        # Checked first, because HDF5 allocates the size that the file states.
        if self._dataset.id.get_chunk_info_by_coord((first,)).size > self._largest_chunk_bytes:
            return -1
        skipped_filters, content = self._dataset.id.read_direct_chunk((first,))
        data: UInt8[np.ndarray, " B"] = np.frombuffer(content, np.uint8)
        if not skipped_filters:
            return int(ecf.decode_chunk(data, arrays))
        rows = data[: len(data) // self._dataset.dtype.itemsize * self._dataset.dtype.itemsize]
        events = rows.view(self._dataset.dtype)[: self._chunk_events]
        x, y, t_us, polarity = (array[: len(events)] for array in arrays)
        x[:], y[:], t_us[:], polarity[:] = events["x"], events["y"], events["t"], events["p"] > 0
        return len(events)

    def _place(self, first: int) -> str:
        chunk = first // self._chunk_events
        info = self._dataset.id.get_chunk_info_by_coord((first,))
        return f"chunk {chunk} at byte {info.byte_offset}"

    def _filters(self) -> list[int]:
        numbers = filters_of(self._dataset)
        others = [number for number in numbers if number != ecf.FILTER]
        check_filters(others, f"{self._path}: {_NAME}")
        if ecf.FILTER in numbers and len(numbers) > 1:
            raise RecordingError(
                f"{self._path}: {_NAME} is compressed by ECF and other HDF5 filters, {numbers}; "
                "convert it from RAW again"
            )
        return numbers

    def _checked(self, dataset: object, file: h5py.File) -> h5py.Dataset:
        if not isinstance(dataset, h5py.Dataset) or dataset.ndim != 1:
            raise RecordingError(f"{self._path}: {_NAME} is not a one-dimensional dataset")
        if not is_whole(dataset, file):
            raise RecordingError(
                f"{self._path}: {_NAME} lies in another file, whose changes would go unnoticed; "
                "copy it into this one"
            )
        fields = dataset.dtype.fields or {}
        kinds = [(name, "iub" if name == "p" else "iu") for name in "xypt"]
        if not all(name in fields and fields[name][0].kind in kind for name, kind in kinds):
            raise RecordingError(
                f"{self._path}: {_NAME} holds {dataset.dtype}, but must hold whole numbers named "
                f"x, y, p and t; {_REMEDY}"
            )
        self._check_written(dataset)
        return dataset

    def _check_written(self, dataset: h5py.Dataset) -> None:
        """Refuse missing values, which HDF5 reads as zeros that would be taken for events."""
        if dataset.chunks is None:
            found, wanted, unit = dataset.id.get_storage_size(), dataset.nbytes, "bytes"
        else:
            found, unit = dataset.id.get_num_chunks(), "chunks"
            wanted = -(-len(dataset) // dataset.chunks[0])
            chunk_bytes = dataset.chunks[0] * dataset.dtype.itemsize
            if chunk_bytes > _LARGEST_CHUNK_BYTES:
                raise RecordingError(
                    f"{self._path}: {_NAME} has chunks of {chunk_bytes} bytes, but at most "
                    f"{_LARGEST_CHUNK_BYTES} can be read at once; write smaller chunks"
                )
        if found < wanted:
            raise RecordingError(
                f"{self._path}: only {found} of {wanted} {unit} of {_NAME} were ever written; "
                f"{_REMEDY}"
            )
        if dataset.chunks is not None and ecf.FILTER not in filters_of(dataset):
            check_uncompressed(dataset, f"{self._path}: {_NAME}")

    def _check_ecf(self) -> None:
        kinds = [self._dataset.dtype[name].str for name in "xypt"]
        if kinds != ["<u2", "<u2", "<i2", "<i8"]:
            raise RecordingError(
                f"{self._path}: {_NAME} holds x, y, p, t as {kinds}, but ECF requires <u2, <u2, "
                f"<i2, <i8; {_REMEDY}"
            )
        if self._chunk_events > ecf.LARGEST_CHUNK:
            raise RecordingError(
                f"{self._path}: {_NAME} has chunks of {self._chunk_events} events, but ECF chunks "
                f"hold at most {ecf.LARGEST_CHUNK}; {_REMEDY}"
            )


@contextmanager
def _open(path: Path, cache_bytes: int = _LEAST_CACHE_BYTES) -> Iterator[h5py.File]:
    """The open file with its chunk cache; errors of HDF5 become errors that name the file."""
    try:
        with h5py.File(path, "r", rdcc_nbytes=cache_bytes) as file:
            yield file
    except RecordingError:
        raise
    except HDF5_ERRORS as error:
        raise RecordingError(f"{path}: {_NAME} cannot be read ({error}); {_REMEDY}") from error


def _attributes(path: Path, group: h5py.Group) -> dict[str, str]:
    """Text attributes of the root, with names as in a RAW header."""
    address = h5py.h5o.get_info(group.id).addr
    return {name.lower(): text for name, text in read_texts(path, address).items()}
