"""Compressing images that are mostly zero, in a time that grows with what is not.

A general compressor looks at every byte. Here a chunk for Blosc's filter is written straight from
the cells that are not zero: its only block is a Zstandard frame, in which zeros are matches with
the byte before, and all else are literals. Any reader of such chunks reads it.

Source: RFC 8878; c-blosc, README_CHUNK_FORMAT.rst.
"""

import struct
from typing import no_type_check

import numpy as np
from jaxtyping import Int64, UInt8, UInt16, UInt32
from numba import njit

from etram_pipeline.sequences.zstandard_tables import (
    ACCURACY_LOG,
    LengthTable,
    Tables,
    make_tables,
)

_MOST_BYTES = 2**29
"""Larger images Blosc does not take as one block."""

_HEADER = struct.Struct("<4B3I2I5BI")
_BLOSC_VERSION, _BLOSC_ZSTD_VERSION, _ZSTD_IN_ONE_PIECE = 2, 1, 4 << 5 | 0x10
_FRAME_MAGIC, _SIZE_IN_FOUR_BYTES = struct.pack("<I", 0xFD2FB528), 2 << 6 | 1 << 5

_BLOCK_BYTES = 2**17
_LARGEST_LITERAL = 128
_LONGEST_CODE = 11
_SHORTEST_MATCH = 3
_NUM_STATES = 1 << ACCURACY_LOG
_SEVERAL_STREAMS = 256
"""Literals from which on they are written in four streams, which are faster to read."""

_REPEATED_BYTE, _COMPRESSED = 1, 2
_CODED, _CODED_AS_BEFORE = 2, 3
_MODES_DESCRIBED, _MODES_AS_BEFORE = 0b10_01_10_00, 0b11_11_11_00
_MOST_BITS_OF_RUN = 2 * (ACCURACY_LOG + 16)


def encode_sparse(image: UInt8[np.ndarray, " N"], cells: UInt32[np.ndarray, " K"]) -> bytes | None:
    """Compress an image of which most cells are zero.

    Args:
        image: Its bytes.
        cells: Those that are not zero, in order.

    Returns:
        A chunk for Blosc; None if it is too large, if a general compressor does better, or if a byte is above 128.
    """
    if len(image) > _MOST_BYTES:
        return None
    # A cell takes 9 bytes at most; a block of the frame 96 more, with its literals at its borders.
    num_blocks = -(-len(image) // _BLOCK_BYTES)
    out = np.empty(_HEADER.size + 9 * len(cells) + 512 + 96 * num_blocks, np.uint8)
    size = _write_blocks(image, cells, make_tables(), out, _HEADER.size)
    if not _HEADER.size < size < len(image):
        return None
    _HEADER.pack_into(
        *(out, 0, _BLOSC_VERSION, _BLOSC_ZSTD_VERSION, _ZSTD_IN_ONE_PIECE, 1),
        *(len(image), len(image), size),
        *(_HEADER.size - 13, size - _HEADER.size + 9),
        *(*_FRAME_MAGIC, _SIZE_IN_FOUR_BYTES, len(image)),
    )
    return out[:size].tobytes()


@no_type_check
@njit(cache=True, nogil=True)
def _write_blocks(
    image: UInt8[np.ndarray, " N"],
    cells: UInt32[np.ndarray, " K"],
    tables: Tables,
    out: UInt8[np.ndarray, " B"],
    end: int,
) -> int:
    """Write the blocks of a frame from `end` on; return where they end, 0 if none can be written.

    Source: RFC 8878, section 3.1.1.2.
    """
    counts = _count(image, cells)
    if len(counts) > _LARGEST_LITERAL + 1:
        return 0
    code = _make_code(counts)
    literals = np.empty(_BLOCK_BYTES + _SHORTEST_MATCH, np.uint8)
    runs = np.empty((_BLOCK_BYTES // (_SHORTEST_MATCH + 1) + 1, 2), np.uint32)
    first, is_first = 0, True
    for start in range(0, len(image), _BLOCK_BYTES):
        stop = min(start + _BLOCK_BYTES, len(image))
        last = first
        while last < len(cells) and cells[last] < stop:
            last += 1
        content = end + 3
        if first == last:
            kind, size = _REPEATED_BYTE, stop - start
            out[content] = 0
            end = content + 1
        else:
            span = cells[first:last]
            num_literals, num_runs = _find_runs(image, span, start, stop, literals, runs)
            end = _write_literals(literals[:num_literals], code, is_first, out, content)
            end = _write_runs(runs[:num_runs], tables, is_first, out, end)
            kind, size = _COMPRESSED, end - content
            if num_runs == 0 or size >= stop - start:
                return 0
            is_first = False
        _write_number(size << 3 | kind << 1 | (stop == len(image)), 3, out, content - 3)
        first = last
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _count(
    image: UInt8[np.ndarray, " N"], cells: UInt32[np.ndarray, " K"]
) -> Int64[np.ndarray, " V"]:
    """How often about each byte is a literal, up to the largest."""
    counts = np.zeros(256, np.int64)
    # Nearly every cell follows a zero that begins a run.
    counts[0] = len(cells) + 1
    largest = 0
    for entry in range(len(cells)):
        value = np.int64(image[cells[entry]])
        counts[value] += 1
        largest = max(largest, value)
    return counts[: largest + 1]


@no_type_check
@njit(cache=True, nogil=True)
def _make_code(counts: Int64[np.ndarray, " V"]) -> UInt32[np.ndarray, " V"]:
    """Prefix code of literals: the bits of each above the eight that say how many they are.

    Lengths are those of Shannon's code, of which some are then shortened until the code is
    complete. Rare literals are counted more often than they are, so that no code is too long.

    Source: RFC 8878, section 4.2.1; Shannon, "A Mathematical Theory of Communication", section 9.
    """
    total = 0
    for literal in range(len(counts)):
        total += counts[literal]
    floor, total_weight = (total >> 10) + 1, total
    for literal in range(len(counts)):
        total_weight += floor if counts[literal] > 0 else 0
    weights, lengths = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    left = 1 << _LONGEST_CODE
    for literal in range(len(counts)):
        if counts[literal] > 0:
            weights[literal] = counts[literal] + floor
            while weights[literal] << lengths[literal] < total_weight:
                lengths[literal] += 1
            left -= 1 << (_LONGEST_CODE - lengths[literal])
    while left > 0:
        best, most = 0, 0
        for literal in range(len(counts)):
            gain = weights[literal] << lengths[literal]
            if 1 << (_LONGEST_CODE - lengths[literal]) <= left and gain > most:
                best, most = literal, gain
        left -= 1 << (_LONGEST_CODE - lengths[best])
        lengths[best] -= 1
    code = np.zeros(len(counts), np.uint32)
    bits = 0
    for length in range(_LONGEST_CODE, 0, -1):
        for literal in range(len(counts)):
            if lengths[literal] == length:
                code[literal] = bits << 8 | length
                bits += 1
        bits >>= 1
    return code


@no_type_check
@njit(cache=True, nogil=True)
def _find_runs(
    image: UInt8[np.ndarray, " N"],
    cells: UInt32[np.ndarray, " K"],
    start: int,
    stop: int,
    literals: UInt8[np.ndarray, " L"],
    runs: UInt32[np.ndarray, "R 2"],
) -> tuple[int, int]:
    """Split bytes `start` to `stop` into literals and runs, which repeat the zero before them.

    Returns:
        How many there are of each; of every run, the literals since the one before it and its
        length less the shortest one are noted.
    """
    num_literals, num_runs, num_noted = 0, 0, 0
    place = start
    for entry in range(len(cells) + 1):
        cell = np.int64(cells[entry]) if entry < len(cells) else stop
        num_zeros = cell - place
        for zero in range(_SHORTEST_MATCH):
            literals[num_literals + zero] = 0
        if num_zeros > _SHORTEST_MATCH:
            num_literals += 1
            runs[num_runs, 0] = num_literals - num_noted
            runs[num_runs, 1] = num_zeros - 1 - _SHORTEST_MATCH
            num_runs += 1
            num_noted = num_literals
        else:
            num_literals += num_zeros
        if entry < len(cells):
            literals[num_literals] = image[cell]
            num_literals += 1
        place = cell + 1
    return num_literals, num_runs


@no_type_check
@njit(cache=True, nogil=True)
def _write_literals(
    literals: UInt8[np.ndarray, " L"],
    code: UInt32[np.ndarray, " V"],
    is_first: bool,
    out: UInt8[np.ndarray, " B"],
    start: int,
) -> int:
    """Write literals by their code, which is described before the first; return where they end.

    Source: RFC 8878, section 3.1.1.3.1.
    """
    num = len(literals)
    num_streams, size_bits = (4, 18) if num >= _SEVERAL_STREAMS else (1, 10)
    content = start + (5 if num_streams > 1 else 3)
    end = _describe_code(code, out, content) if is_first else content
    jumps = end
    end += 6 if num_streams > 1 else 0
    each = -(-num // num_streams)
    for stream in range(num_streams):
        begin = end
        end = _write_stream(literals[stream * each : (stream + 1) * each], code, out, begin)
        if stream < num_streams - 1:
            _write_number(end - begin, 2, out, jumps + 2 * stream)
    kind = _CODED if is_first else _CODED_AS_BEFORE
    size_format = 3 if num_streams > 1 else 0
    header = kind | size_format << 2 | num << 4 | (end - content) << (4 + size_bits)
    _write_number(header, content - start, out, start)
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _describe_code(code: UInt32[np.ndarray, " V"], out: UInt8[np.ndarray, " B"], end: int) -> int:
    """Write the lengths of a code, but for the last, which follows from the others."""
    num, longest = len(code) - 1, 0
    for literal in range(len(code)):
        longest = max(longest, np.int64(code[literal] & 255))
    out[end] = 127 + num
    for literal in range(0, num, 2):
        pair = 0
        for each in range(literal, literal + 2):
            length = np.int64(code[each] & 255)
            is_given = length > 0 and each < num
            pair = pair << 4 | (longest + 1 - length if is_given else 0)
        out[end + 1 + literal // 2] = pair
    return end + 1 + (num + 1) // 2


@no_type_check
@njit(cache=True, nogil=True)
def _write_stream(
    literals: UInt8[np.ndarray, " L"],
    code: UInt32[np.ndarray, " V"],
    out: UInt8[np.ndarray, " B"],
    start: int,
) -> int:
    """Write literals from the last to the first, as they are read backwards."""
    end, bits, num = np.uint64(start), np.uint64(0), np.uint64(0)
    for index in range(len(literals) - 1, -1, -1):
        entry = np.uint64(code[literals[index]])
        bits |= (entry >> np.uint64(8)) << num
        num += entry & np.uint64(255)
        if num > 64 - 2 * _LONGEST_CODE:
            end, bits, num = _flush(out, end, bits, num)
    return _finish(out, end, bits, num)


@no_type_check
@njit(cache=True, nogil=True)
def _write_runs(
    runs: UInt32[np.ndarray, "R 2"],
    tables: Tables,
    is_first: bool,
    out: UInt8[np.ndarray, " B"],
    start: int,
) -> int:
    """Write runs as sequences, from the last to the first; return where they end.

    Source: RFC 8878, section 3.1.1.3.2.
    """
    # Two bytes hold any number of runs that fits into a block.
    _write_number(0x80 + (len(runs) >> 8) | (len(runs) & 255) << 8, 2, out, start)
    out[start + 2] = _MODES_DESCRIBED if is_first else _MODES_AS_BEFORE
    start += 3
    if is_first:
        for place in range(len(tables.description)):
            out[start + place] = tables.description[place]
        start += len(tables.description)
    end, bits, num = np.uint64(start), np.uint64(0), np.uint64(0)
    # Any state will do to begin with; that which it leaves is read first.
    literal_state = match_state = np.uint64(_NUM_STATES)
    for index in range(len(runs) - 1, -1, -1):
        if num > 63 - _MOST_BITS_OF_RUN:
            end, bits, num = _flush(out, end, bits, num)
        rest, width, match_state, match_extra = _step(tables.matches, runs[index, 1], match_state)
        if index < len(runs) - 1:
            bits |= rest << num
            num += width
        rest, width, literal_state, extra = _step(tables.literals, runs[index, 0], literal_state)
        if index < len(runs) - 1:
            bits |= rest << num
            num += width
        bits |= _low(np.uint64(runs[index, 0]), extra) << num
        num += extra
        bits |= _low(np.uint64(runs[index, 1]), match_extra) << num
        num += match_extra
    end, bits, num = _flush(out, end, bits, num)
    for state in (match_state, literal_state):
        bits |= _low(state, np.uint64(ACCURACY_LOG)) << num
        num += np.uint64(ACCURACY_LOG)
    return _finish(out, end, bits, num)


@no_type_check
@njit(cache=True, nogil=True)
def _step(table: LengthTable, length: int, state: int) -> tuple[int, int, int, int]:
    """Write the code of a length: what a state leaves to write, in how many bits, and the next one.

    Returns:
        These, and how many low bits of the length follow its code.
    """
    code = table.codes[length if length < 128 else 127 + (length >> 7)]
    width = state + np.uint64(table.num_bits[code]) >> np.uint64(16)
    place = np.int64(state >> width) + table.first_state[code]
    return (
        _low(state, width),
        width,
        np.uint64(table.states[place]),
        np.uint64(table.extra_bits[code]),
    )


@no_type_check
@njit(cache=True, nogil=True)
def _low(value: int, num_bits: int) -> int:
    return value & (np.uint64(1) << num_bits) - np.uint64(1)


@no_type_check
@njit(cache=True, nogil=True)
def _flush(out: UInt8[np.ndarray, " B"], end: int, bits: int, num: int) -> tuple[int, int, int]:
    """Write whole bytes of `num` bits, at most 63; return the end and what is left."""
    for place in range(8):
        out[end + np.uint64(place)] = bits >> np.uint64(8 * place) & np.uint64(255)
    written = num >> np.uint64(3)
    return end + written, bits >> (written << np.uint64(3)), num & np.uint64(7)


@no_type_check
@njit(cache=True, nogil=True)
def _finish(out: UInt8[np.ndarray, " B"], end: int, bits: int, num: int) -> int:
    """Write the last bits, at most 62, and the one that marks the end; return the end."""
    end, bits, num = _flush(out, end, bits | np.uint64(1) << num, num + np.uint64(8))
    return np.int64(end)


@no_type_check
@njit(cache=True, nogil=True)
def _write_number(value: int, num_bytes: int, out: UInt8[np.ndarray, " B"], start: int) -> None:
    for place in range(num_bytes):
        out[start + place] = value >> (8 * place) & 255
