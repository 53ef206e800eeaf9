"""Compressing images that are mostly zero, in a time that grows with what is not.

A general compressor looks at every byte. Here a chunk for Blosc's filter is written straight from
the cells that are not zero: its only block is a Zstandard frame, in which zeros are matches with
the byte before them, and all else are literals. Every reader of such chunks reads it.

Source: RFC 8878, section 3.1.1; c-blosc, README_CHUNK_FORMAT.rst.
"""

import struct

import numpy as np
from jaxtyping import UInt8, UInt32

from etram_pipeline.stores.prefix_code import (
    LARGEST_LITERAL,
    count_literals,
    describe_code,
    make_code,
)
from etram_pipeline.stores.zstandard_kernels import BLOCK_BYTES, write_blocks
from etram_pipeline.stores.zstandard_tables import make_tables

_LARGEST_IMAGE_BYTES = 2**29
"""Blosc takes no much larger block."""

_CHUNK = struct.Struct("<4B3I I")
_BLOSC_VERSION, _ZSTD_VERSION, _TYPE_BYTES = 2, 1, 1
_ZSTD_NOT_SPLIT = 4 << 5 | 1 << 4

_FRAME = struct.Struct("<I IBI")
_FRAME_MAGIC = 0xFD2FB528
_SINGLE_SEGMENT_SIZE_OF_4_BYTES = 2 << 6 | 1 << 5

_HEADER_BYTES = _CHUNK.size + _FRAME.size


def encode_sparse(
    cells: UInt32[np.ndarray, " K"], values: UInt8[np.ndarray, " K"], num_bytes: int
) -> bytes | None:
    """Compress an image of which most bytes are zero.

    Args:
        cells: Bytes that are not zero, in order.
        values: What they are.
        num_bytes: Size of the image.

    Returns:
        A chunk for Blosc; None if the image is too large, has values above 128, or has too many
        values that are not zero.
    """
    if num_bytes > _LARGEST_IMAGE_BYTES or values.max(initial=0) > LARGEST_LITERAL:
        return None
    code = make_code(count_literals(values))
    # A cell takes 9 bytes at most, and a block 96 beside its cells.
    num_blocks = -(-num_bytes // BLOCK_BYTES)
    chunk = np.empty(_HEADER_BYTES + 512 + 9 * len(cells) + 96 * num_blocks, np.uint8)
    literal_code = code, describe_code(code)
    image = cells, values, num_bytes
    size = write_blocks(image, literal_code, make_tables(), chunk, _HEADER_BYTES)
    if not _HEADER_BYTES < size < num_bytes:
        return None
    flags = _BLOSC_VERSION, _ZSTD_VERSION, _ZSTD_NOT_SPLIT, _TYPE_BYTES
    _CHUNK.pack_into(chunk.data, 0, *flags, num_bytes, num_bytes, size, _CHUNK.size)
    frame = _FRAME_MAGIC, _SINGLE_SEGMENT_SIZE_OF_4_BYTES, num_bytes
    _FRAME.pack_into(chunk.data, _CHUNK.size, size - _CHUNK.size - 4, *frame)
    return chunk[:size].tobytes()
