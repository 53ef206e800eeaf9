"""Reads columns of an HDF5 file in many threads; HDF5 itself decompresses in only one."""

import math
import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import h5py
import numpy as np
import numpy.typing as npt
from jaxtyping import Int64, Shaped

from etram_pipeline.core.errors import RecordingError

HDF5_ERRORS = (OSError, RuntimeError, ValueError, TypeError, KeyError, OverflowError)
"""Errors that h5py raises for damaged files."""

_DEFLATE, _SHUFFLE = 1, 2
_READABLE: list[list[int]] = [[], [_DEFLATE], [_SHUFFLE, _DEFLATE]]
_MOST_CHUNK_ROWS = 2**20

_WINDOW_BITS = 15
_MOST_INFLATION = 1032
"""Largest ratio of decompressed to compressed bytes. Source: zlib.net/zlib_tech.html."""
_HARMLESS_BYTES = 2**27
"""Memory that a damaged chunk may use before its size is checked."""


@dataclass(frozen=True)
class ColumnLayout:
    """Positions of the chunks of a one-dimensional dataset in its file.

    Attributes:
        path: The file.
        name: Name of the column, for messages.
        dtype: Type of its values.
        num_rows: Length of the column.
        chunk_rows: Values in each chunk; the last chunk may extend beyond the end of the column.
        offsets: First byte of each chunk.
        num_bytes: Bytes of each chunk.
        is_deflated: Whether chunks are compressed with deflate, HDF5's gzip filter.
        is_shuffled: Whether HDF5's shuffle filter was applied before compression.
    """

    path: Path
    name: str
    dtype: np.dtype[np.generic]
    num_rows: int
    chunk_rows: int
    offsets: Int64[np.ndarray, " C"]
    num_bytes: Int64[np.ndarray, " C"]
    is_deflated: bool
    is_shuffled: bool

    def fill(self, file: int, first: int, rows: Shaped[np.ndarray, " N"]) -> None:
        """Fill `rows` with the rows from `first` on; thread-safe.

        Args:
            file: Descriptor of the open file.
            first: First row.
            rows: Array of the column's type; the column must have as many rows from there on.

        Raises:
            RecordingError: If the file ends too soon or a chunk is damaged.
        """
        last = first + len(rows)
        for chunk in range(first // self.chunk_rows, -(-last // self.chunk_rows)):
            begin = chunk * self.chunk_rows
            low, high = max(first, begin), min(last, begin + self.chunk_rows)
            target = rows[low - first : high - first]
            if self.is_deflated:
                target[:] = self._inflate(file, chunk)[low - begin : high - begin]
            else:
                offset = int(self.offsets[chunk]) + (low - begin) * self.dtype.itemsize
                self._fill(file, target.view(np.uint8), offset)

    def _inflate(self, file: int, chunk: int) -> npt.NDArray[np.generic]:
        # Much faster than zlib; imported here because few commands read recordings.
        from isal import isal_zlib

        offset, num_bytes = int(self.offsets[chunk]), int(self.num_bytes[chunk])
        # More than deflate can reach; a damaged file may claim anything.
        if num_bytes > 2 * self.chunk_rows * self.dtype.itemsize + 1024:
            raise self._damage(chunk, f"its stated size is {num_bytes} bytes")
        compressed = np.empty(num_bytes, np.uint8)
        self._fill(file, compressed, offset)
        wanted = self.chunk_rows * self.dtype.itemsize
        try:
            if num_bytes * _MOST_INFLATION <= _HARMLESS_BYTES:
                content = isal_zlib.decompress(compressed, _WINDOW_BITS, wanted)
            else:  # slower, because it takes the interpreter's lock repeatedly
                inflater = isal_zlib.decompressobj()
                content = inflater.decompress(compressed, wanted + 1)
                content = content if inflater.eof else content[:-1]
        except isal_zlib.error as error:  # type: ignore[misc]  # its stubs call it an object
            raise self._damage(chunk, str(error)) from error
        if len(content) != wanted:
            raise self._damage(chunk, f"{len(content)} bytes were found, but {wanted} are expected")
        if self.is_shuffled:
            planes = np.frombuffer(content, np.uint8).reshape(self.dtype.itemsize, -1)
            return np.ascontiguousarray(planes.T).view(self.dtype).reshape(-1)
        return np.frombuffer(content, self.dtype)

    def _fill(self, file: int, target: npt.NDArray[np.uint8], offset: int) -> None:
        try:
            num_read = os.preadv(file, [target.data], offset)
        except OSError as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error
        if num_read < len(target):
            raise RecordingError(
                f"{self.path}: ends at byte {offset + num_read}, within events/{self.name}; fetch "
                "or write the file again"
            )

    def _damage(self, chunk: int, reason: str) -> RecordingError:
        first = chunk * self.chunk_rows
        return RecordingError(
            f"{self.path}: rows {first} to {min(first + self.chunk_rows, self.num_rows)} of "
            f"events/{self.name}, at byte {self.offsets[chunk]}, cannot be decompressed "
            f"({reason}); fetch or write the file again"
        )


def filters_of(dataset: h5py.Dataset) -> list[int]:
    """Numbers of the filters that are applied to chunks of a dataset when they are written."""
    creation = dataset.id.get_create_plist()
    return [creation.get_filter(index)[0] for index in range(creation.get_nfilters())]


def check_filters(numbers: Iterable[int], where: str) -> None:
    """Refuse filters that are not available.

    Raises:
        RecordingError: If a filter is not available; names `where` and the filter.
    """
    for number in numbers:
        if not h5py.h5z.filter_avail(number):
            raise RecordingError(
                f"{where} is compressed by HDF5 filter {number}, which hdf5plugin does not have; "
                "compress the file again with another filter, such as gzip"
            )


def find_layout(path: Path, column: h5py.Dataset) -> ColumnLayout | None:
    """Layout of a column; None if only HDF5 can read it.

    This is the case for other compression than gzip, for chunks too large to be decompressed for a
    few values, for values that use only some bits of their bytes, and for damaged columns, whose
    faults HDF5 reports.
    """
    filters = filters_of(column)
    if filters not in _READABLE or column.file.userblock_size:
        return None
    if column.id.get_type() != h5py.h5t.py_create(column.dtype, logical=True):
        return None
    chunk_rows = max(len(column), 1) if column.chunks is None else int(column.chunks[0])
    chunks = _contiguous(column) if column.chunks is None else _chunks(column, chunk_rows)
    if chunks is None or (filters and chunk_rows > _MOST_CHUNK_ROWS):
        return None
    return ColumnLayout(
        path=path,
        name=column.name.rpartition("/")[2],
        dtype=column.dtype,
        num_rows=len(column),
        chunk_rows=chunk_rows,
        offsets=chunks[:, 0].copy(),
        num_bytes=chunks[:, 1].copy(),
        is_deflated=_DEFLATE in filters,
        is_shuffled=_SHUFFLE in filters,
    )


def is_whole(dataset: h5py.Dataset, file: h5py.File) -> bool:
    """Whether all values of a dataset are stored in this file.

    Links and virtual datasets refer to other files, whose change or loss would go unnoticed: HDF5
    reads missing values as zeros.
    """
    place, own = h5py.h5o.get_info(dataset.id), h5py.h5o.get_info(file.id)
    return place.fileno == own.fileno and not dataset.is_virtual and dataset.external is None


def check_stored(dataset: h5py.Dataset, file: h5py.File, where: str) -> None:
    """Refuse a dataset that cannot be read or has missing values.

    HDF5 reads values that were never written as zeros, which would be taken for events.

    Args:
        dataset: The dataset.
        file: The open file from which it was read.
        where: Path and name of the dataset, for messages.

    Raises:
        RecordingError: If it lies in another file, has an unknown filter, or is incomplete.
    """
    if not is_whole(dataset, file):
        raise RecordingError(
            f"{where} lies in another file, whose changes would go unnoticed; copy it into this "
            "file"
        )
    check_filters(filters_of(dataset), where)
    if dataset.chunks is not None:
        sides = zip(dataset.shape, dataset.chunks, strict=True)
        wanted = math.prod(-(-length // chunk) for length, chunk in sides)
        found = dataset.id.get_num_chunks()
    else:
        wanted = min(1, dataset.size)
        found = min(1, dataset.id.get_storage_size())
    if found < wanted:
        raise RecordingError(
            f"{where}: only {found} of {wanted} chunks were ever written; fetch or write the file "
            "again"
        )
    if dataset.chunks is not None:
        check_uncompressed(dataset, where)


def check_uncompressed(dataset: h5py.Dataset, where: str) -> None:
    """Refuse chunks without compression that have another size than their values.

    HDF5 does not compare the two: the missing values would be whatever lies in memory, and differ
    from one reading to the next.

    Args:
        dataset: The dataset, which has chunks.
        where: Path and name of the dataset, for messages.

    Raises:
        RecordingError: If a chunk has another size.
    """
    whole = math.prod(dataset.chunks) * dataset.id.get_type().get_size()
    all_filters = 2 ** len(filters_of(dataset)) - 1
    damaged: list[h5py.h5d.StoreInfo] = []

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        skips_all = chunk.filter_mask & all_filters == all_filters
        if skips_all and chunk.size != whole:
            damaged.append(chunk)

    dataset.id.chunk_iter(note)
    if damaged:
        raise RecordingError(
            f"{where}: the chunk at byte {damaged[0].byte_offset} is not compressed and has "
            f"{damaged[0].size} bytes, but {whole} are expected; fetch or write the file again"
        )


def _contiguous(column: h5py.Dataset) -> Int64[np.ndarray, "C 2"] | None:
    num_bytes = len(column) * column.dtype.itemsize
    if num_bytes == 0:
        return np.empty((0, 2), np.int64)
    offset = column.id.get_offset()
    if offset is None or column.id.get_storage_size() != num_bytes:
        return None
    return np.array([[offset, num_bytes]], np.int64)


def _chunks(column: h5py.Dataset, chunk_rows: int) -> Int64[np.ndarray, "C 2"] | None:
    """First byte and size of each chunk; None if one is missing or irregular."""
    table = np.full((-(-len(column) // chunk_rows), 2), -1, np.int64)
    is_plain = True

    def note(chunk: h5py.h5d.StoreInfo) -> None:
        nonlocal is_plain
        index, remainder = divmod(chunk.chunk_offset[0], chunk_rows)
        if remainder or index >= len(table) or chunk.filter_mask:
            is_plain = False
        else:
            table[index] = chunk.byte_offset, chunk.size

    column.id.chunk_iter(note)
    if column.compression is None:
        is_plain &= bool((table[:, 1] == chunk_rows * column.dtype.itemsize).all())
    return table if is_plain and (table >= 0).all() else None
