"""Reading stored images straight from the file, past HDF5.

HDF5 would look up where an image lies each time, copy it twice, and let only one thread at a time
do so. Where the images lie is read once and kept; the files themselves are not kept open, so that
nothing is shared with processes that are forked off, and a file that is replaced is noticed.
"""

import os
import struct
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np
from jaxtyping import Int64, Integer

from etram_pipeline.core.errors import StoreError
from etram_pipeline.stores.compression import BLOSC_FILTER

if TYPE_CHECKING:
    import h5py

Images = Integer[np.ndarray, "T C H W"]
ChunkTable = Int64[np.ndarray, "N 2"]

_HEADER = struct.Struct("<4xIII")
"""Size of the content, of its blocks and of the whole; c-blosc, README_CHUNK_FORMAT.rst."""

_MOST_FILES = 2048

_DAMAGE = (OSError, LookupError, OverflowError, AttributeError, RuntimeError, ValueError)
"""What h5py raises over a file whose structure makes no sense, beside what is raised here."""


def read_images(path: Path, start: int, images: Images) -> None:
    """Fill `images` with those that are stored from number `start` on.

    Each of them must be contiguous, but they need not lie one after the other.

    Raises:
        StoreError: If the file is damaged, or holds other images than those wanted.
    """
    try:
        with path.open("rb", buffering=0) as file:
            table = _chunk_table(path, _identity(file), images.shape[1:], images.dtype)
            if table is None:
                _read_by_hdf5(path, start, images)
            else:
                _read_chunks(file, table[start : start + len(images)], images)
    except _DAMAGE as error:
        raise StoreError(
            f"{path} is damaged at windows {start} to {start + len(images)}; delete it and run "
            f"`preprocess` again: {error}"
        ) from error


def _identity(file: BinaryIO) -> tuple[int, ...]:
    found = os.fstat(file.fileno())
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns


@lru_cache(_MOST_FILES)
def _chunk_table(
    path: Path, identity: tuple[int, ...], shape: tuple[int, ...], dtype: "np.dtype[Any]"
) -> ChunkTable | None:
    """First byte and size of each image; None if they are not stored as this project stores them.

    Raises:
        OSError: If the file is damaged, or no longer the one it was.
        ValueError: If it holds other images than those wanted.
    """
    import h5py

    with path.open("rb") as file:
        if _identity(file) != identity:
            raise OSError("it has just been replaced")
        with h5py.File(file, "r") as content:
            data = content["data"]
            if (data.shape[1:], data.dtype) != (shape, dtype):
                raise ValueError(
                    f"it holds {data.dtype} {data.shape[1:]}, not {dtype} {shape} as it did before"
                )
            return _blosc_chunks(data)


def _blosc_chunks(data: "h5py.Dataset") -> ChunkTable | None:
    """Where the images of a dataset lie; None if one of them is not a Blosc chunk of its own."""
    filters = data.id.get_create_plist()
    is_plain = (
        data.chunks == (1, *data.shape[1:])
        and filters.get_nfilters() == 1
        and filters.get_filter(0)[0] == BLOSC_FILTER
        and data.dtype.itemsize == 1
        and data.id.get_num_chunks() == len(data)  # else some were never written
    )
    if not is_plain:
        return None
    table = np.zeros((len(data), 2), np.int64)

    def note(chunk: "h5py.h5d.StoreInfo") -> None:
        if not chunk.filter_mask:
            table[chunk.chunk_offset[0]] = chunk.byte_offset, chunk.size

    data.id.chunk_iter(note)
    return table if table.all() else None


def _read_chunks(file: BinaryIO, table: ChunkTable, images: Images) -> None:
    if len(table) != len(images):
        raise ValueError("it holds fewer windows than it did before")
    for image, (offset, size) in zip(images, table.tolist(), strict=True):
        _decompress(os.pread(file.fileno(), size, offset), image)


def _decompress(chunk: bytes, image: Integer[np.ndarray, "C H W"]) -> None:
    """Decompress a chunk, which must say of itself that it is whole and of the right size.

    Blosc believes what it says, and would read or leave out what lies beyond.
    """
    # Its import takes a quarter of a second, which nothing else should wait for.
    from numcodecs import blosc

    sizes = _HEADER.unpack_from(chunk) if len(chunk) >= _HEADER.size else (0, 0, 0)
    if (sizes[0], sizes[2]) != (image.nbytes, len(chunk)):
        raise ValueError(
            f"a chunk of {len(chunk)} bytes says that it has {sizes[2]} and holds {sizes[0]}, "
            f"not {image.nbytes}"
        )
    # Several processes read clips side by side; threads of each would only get in their way.
    blosc.use_threads = False
    blosc.decompress(chunk, image)


def _read_by_hdf5(path: Path, start: int, images: Images) -> None:
    import h5py
    import hdf5plugin  # noqa: F401  # makes HDF5 know the filter

    with h5py.File(path) as file:
        images[:] = file["data"][start : start + len(images)]
