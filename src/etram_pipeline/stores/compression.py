"""Compression of images in several threads; HDF5 itself would admit one thread at a time."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from etram_pipeline.core.machine import num_cores
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.stores.settings import Profile

_CODECS: dict[Profile, tuple[str, int]] = {"archive": ("zstd", 5), "training": ("lz4", 1)}
"""Compressor of each profile, and its number in Blosc."""

BLOSC_FILTER = 32001
"""Number of the Blosc filter in HDF5."""

_LEVEL = 1
_SHUFFLE = 1

_BLOCK_BYTES = 2**20
"""Larger than Blosc's default; images become smaller and faster to read."""

_LEAST_SPARSE_BYTES = 2**20
"""Smallest image for the sparse encoder, whose first use compiles it for some seconds."""

_CELLS_PER_EVENT = 8
"""Least number of cells per event for the sparse encoder; denser images use Blosc."""

_MOST_THREADS = 4
_MOST_AHEAD = 16


class Chunk(NamedTuple):
    """A compressed image, with the shape and dtype of the image."""

    content: bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def num_threads() -> int:
    """Number of threads that compress."""
    return min(num_cores(), _MOST_THREADS)


def filter_options(profile: Profile) -> dict[str, Any]:
    """Options of the HDF5 dataset for chunks of a profile.

    Every chunk states how it was compressed, so any Blosc filter can read all chunks.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `_blosc_opts`; read by `hdf5plugin`.
    """
    _, codec = _CODECS[profile]
    return {"compression": BLOSC_FILTER, "compression_opts": (0, 0, 0, 0, _LEVEL, _SHUFFLE, codec)}


def compress(buffers: Iterable[ImageBuffer], profile: Profile) -> Generator[Chunk, None, None]:
    """Compress images in several threads.

    Args:
        buffers: Images; a buffer is released when its image is compressed.
        profile: Chooses the compressor.

    Yields:
        The compressed images, in order.
    """
    ahead: deque[Future[Chunk]] = deque()
    with ThreadPoolExecutor(num_threads()) as pool:
        try:
            for buffer in buffers:
                ahead.append(pool.submit(_compress, buffer, profile))
                while len(ahead) > _MOST_AHEAD or (ahead and ahead[0].done()):
                    yield ahead.popleft().result()
            while ahead:
                yield ahead.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)
            # Otherwise, a stored exception would keep them and their drawing threads alive.
            if isinstance(buffers, Generator):
                buffers.close()


def _compress(buffer: ImageBuffer, profile: Profile) -> Chunk:
    try:
        content = _compress_sparse(buffer) if profile == "archive" else None
        if content is None:
            content = _compress_any(buffer, profile)
            buffer.blank()
        return Chunk(content, buffer.image.shape, buffer.image.dtype)
    finally:
        buffer.give_back()


def _compress_sparse(buffer: ImageBuffer) -> bytes | None:
    """Compress a large image by its cells; None if they are unknown or too many."""
    image, num_touched = buffer.image, buffer.num_touched
    if num_touched is None or num_touched > image.size // _CELLS_PER_EVENT:
        return None
    if image.dtype != np.uint8 or image.nbytes < _LEAST_SPARSE_BYTES:
        return None
    # The compiler of the kernels takes a second to import.
    from etram_pipeline.stores.sparse_encoding import encode_sparse

    cells, values = buffer.lift()
    content = encode_sparse(cells, values, image.nbytes)
    if content is None:
        buffer.put_back(cells, values)
    return content


def _compress_any(buffer: ImageBuffer, profile: Profile) -> bytes:
    # This import takes a quarter of a second; only compression needs it.
    from numcodecs import blosc

    codec, _ = _CODECS[profile]
    content: bytes = blosc.compress(
        buffer.image, codec.encode(), _LEVEL, blosc.NOSHUFFLE, _BLOCK_BYTES
    )
    return content
