"""Compressing images outside HDF5, whose lock lets only one thread at a time do so."""

from collections import deque
from collections.abc import Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from etram_pipeline.core.machine import num_cores
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.stores.settings import Profile

_CODECS: dict[Profile, tuple[str, int]] = {"archive": ("zstd", 5), "training": ("lz4", 1)}
"""Compressor of each profile, and its number within Blosc."""

BLOSC_FILTER = 32001
"""Number of the filter within HDF5."""

_LEVEL = 1
_SHUFFLE = 1

_BLOCK_BYTES = 2**20
"""Larger than Blosc would choose, for which images are smaller and faster to read."""

_LEAST_SPARSE_BYTES = 2**20
"""Smaller images are not worth the seconds that compiling the sparse encoder takes at first."""

_CELLS_PER_EVENT = 8
"""Images with more events than this allows are left to the general compressor."""

_MOST_THREADS = 4
_MOST_AHEAD = 16


class Chunk(NamedTuple):
    """A compressed image, and what it is when it is not."""

    content: bytes
    shape: tuple[int, ...]
    dtype: np.dtype[Any]


def num_threads() -> int:
    """Threads that compress."""
    return min(num_cores(), _MOST_THREADS)


def filter_options(profile: Profile) -> dict[str, Any]:
    """Options of an HDF5 dataset that holds such chunks.

    Every chunk says itself how it was compressed, so that any Blosc filter reads all of them.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `_blosc_opts`; read by `hdf5plugin`.
    """
    _, codec = _CODECS[profile]
    return {"compression": BLOSC_FILTER, "compression_opts": (0, 0, 0, 0, _LEVEL, _SHUFFLE, codec)}


def compress(buffers: Iterable[ImageBuffer], profile: Profile) -> Generator[Chunk, None, None]:
    """Compress images in several threads.

    Args:
        buffers: Each is given back once it is compressed.
        profile: How to compress.

    Yields:
        The images in their order.
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
            # An error that is kept would keep them, and the threads that draw them, as well.
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
    """Compress a large image by its cells; None where they are not known or too many."""
    image, num_touched = buffer.image, buffer.num_touched
    if num_touched is None or num_touched > image.size // _CELLS_PER_EVENT:
        return None
    if image.dtype != np.uint8 or image.nbytes < _LEAST_SPARSE_BYTES:
        return None
    # The compiler behind the kernels takes a second to import.
    from etram_pipeline.stores.sparse_encoding import encode_sparse

    cells, values = buffer.lift()
    content = encode_sparse(cells, values, image.nbytes)
    if content is None:
        buffer.put_back(cells, values)
    return content


def _compress_any(buffer: ImageBuffer, profile: Profile) -> bytes:
    # Its import takes a quarter of a second, which nothing else should wait for.
    from numcodecs import blosc

    codec, _ = _CODECS[profile]
    content: bytes = blosc.compress(
        buffer.image, codec.encode(), _LEVEL, blosc.NOSHUFFLE, _BLOCK_BYTES
    )
    return content
