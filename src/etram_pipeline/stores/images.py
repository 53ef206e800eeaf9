"""Reading of stored images directly from the file, without HDF5.

HDF5 would look up the position of an image on each access, copy the image twice, and admit one
thread at a time. Here, the positions of the images are read once and cached. Files are not kept
open, so forked processes share nothing, and the replacement of a file is noticed.
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
"""Sizes of the content, of a block and of the chunk; c-blosc, README_CHUNK_FORMAT.rst."""

_MOST_FILES = 2048

_DAMAGE = (OSError, LookupError, OverflowError, AttributeError, RuntimeError, ValueError)
"""Exceptions that h5py raises for a damaged file, and those raised in this module."""


def read_images(path: Path, start: int, images: Images) -> None:
    """Fill `images` with the stored images from index `start` on.

    Each image must be contiguous in memory; the array as a whole need not be.

    Raises:
        StoreError: If the file is damaged, or its images have another shape or dtype.
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
    """First byte and size of each image; None if this project did not store them.

    Raises:
        OSError: If the file is damaged, or was replaced.
        ValueError: If its images have another shape or dtype.
    """
    import h5py

    with path.open("rb") as file:
        if _identity(file) != identity:
            raise OSError("the file has just been replaced")
        with h5py.File(file, "r") as content:
            data = content["data"]
            if (data.shape[1:], data.dtype) != (shape, dtype):
                raise ValueError(
                    f"images are {data.dtype} {data.shape[1:]}, but were {dtype} {shape} before"
                )
            return _blosc_chunks(data)


def _blosc_chunks(data: "h5py.Dataset") -> ChunkTable | None:
    """Positions of the images of a dataset; None unless each image is one Blosc chunk."""
    filters = data.id.get_create_plist()
    is_plain = (
        data.chunks == (1, *data.shape[1:])
        and filters.get_nfilters() == 1
        and filters.get_filter(0)[0] == BLOSC_FILTER
        and data.dtype.itemsize == 1
        and data.id.get_num_chunks() == len(data)  # all chunks were written
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
        raise ValueError("the file has fewer windows than before")
    for image, (offset, size) in zip(images, table.tolist(), strict=True):
        _decompress(os.pread(file.fileno(), size, offset), image)


def _decompress(chunk: bytes, image: Integer[np.ndarray, "C H W"]) -> None:
    """Decompress a chunk after a check of the sizes in its header.

    Blosc trusts the header: with wrong sizes, it would read beyond the chunk or leave data out.
    """
    # This import takes a quarter of a second; only decompression needs it.
    from numcodecs import blosc

    sizes = _HEADER.unpack_from(chunk) if len(chunk) >= _HEADER.size else (0, 0, 0)
    if (sizes[0], sizes[2]) != (image.nbytes, len(chunk)):
        raise ValueError(
            f"the header of a chunk of {len(chunk)} bytes states a size of {sizes[2]} bytes and a "
            f"content of {sizes[0]}, which should be {image.nbytes}"
        )
    # Several processes read clips in parallel; threads in each of them would only compete.
    blosc.use_threads = False
    blosc.decompress(chunk, image)


def _read_by_hdf5(path: Path, start: int, images: Images) -> None:
    import h5py
    import hdf5plugin  # noqa: F401  # registers the filter

    with h5py.File(path) as file:
        images[:] = file["data"][start : start + len(images)]
