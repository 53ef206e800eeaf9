"""Compiled loops that write the blocks of a Zstandard frame from the non-zero bytes of an image.

All functions are in one module, because Numba recompiles a cached function only if its own module
changes. `no_type_check` disables the run-time type checks of the tests, which Numba cannot compile.

Source: RFC 8878; section numbers below refer to it.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import UInt32
from numba import njit

from etram_pipeline.stores.prefix_code import LONGEST_CODE, Bytes, Code
from etram_pipeline.stores.zstandard_tables import (
    ACCURACY_LOG,
    SHORT_LENGTHS,
    LengthTable,
    Tables,
)

BLOCK_BYTES = 2**17

_SHORTEST_MATCH = 3
_SEVERAL_STREAMS = 256
"""Number of literals from which on four streams are written, which are faster to read."""

_RAW, _REPEATED_BYTE, _COMPRESSED = 0, 1, 2
_CODED, _CODED_AS_BEFORE = 2, 3
_MODES_DESCRIBED, _MODES_AS_BEFORE = 0b10_01_10_00, 0b11_11_11_00
_SHORT_LENGTH_BITS = SHORT_LENGTHS.bit_length() - 1

Cells = UInt32[np.ndarray, " K"]
Runs = UInt32[np.ndarray, "R 2"]


@no_type_check
@njit(cache=True, nogil=True)
def write_blocks(
    image: tuple[Cells, Bytes, int],
    literal_code: tuple[Code, Bytes],
    tables: Tables,
    out: Bytes,
    end: int,
) -> int:
    """Write the blocks of a frame.

    Args:
        image: Indices of the non-zero bytes, ascending; their values; number of bytes of the image.
        literal_code: Prefix code of the literals, and its description.
        tables: Tables to encode lengths.
        out: Output buffer.
        end: Index in `out` at which the blocks begin.

    Returns:
        Index in `out` after the last block.

    Source: Sections 3.1.1.2 and 3.1.1.3.
    """
    cells, values, num_bytes = image
    code, code_description = literal_code
    table_description = tables.description
    literals = np.empty(BLOCK_BYTES + _SHORTEST_MATCH, np.uint8)
    runs = np.empty((BLOCK_BYTES // (_SHORTEST_MATCH + 1) + 1, 2), np.uint32)
    first = 0
    for start in range(0, num_bytes, BLOCK_BYTES):
        stop = min(start + BLOCK_BYTES, num_bytes)
        content, past = end + 3, first
        if first == len(cells) or cells[first] >= stop:
            kind, size, out[content] = _REPEATED_BYTE, stop - start, 0
            end = content + 1
        else:
            span = start, stop
            past, num_literals, num_runs = _find_runs(cells, values, first, span, literals, runs)
            end = _write_literals(literals[:num_literals], code, code_description, out, content)
            end = _write_runs(runs[:num_runs], tables, table_description, out, end)
            kind, size = _COMPRESSED, end - content
            if num_runs > 0 and size < stop - start:
                # Later blocks reuse the code and the tables.
                code_description, table_description = code_description[:0], table_description[:0]
            else:
                kind, size = _RAW, stop - start
                end = _write_raw(cells[first:past], values[first:past], span, out, content)
        _write_number(size << 3 | kind << 1 | (stop == num_bytes), 3, out, content - 3)
        first = past
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _find_runs(
    cells: Cells,
    values: Bytes,
    first: int,
    span: tuple[int, int],
    literals: Bytes,
    runs: Runs,
) -> tuple[int, int, int]:
    """Split a span of bytes into literals and runs; a run repeats the zero before it.

    For every run, `runs` receives the number of literals since the last run, and the length of the
    run minus that of the shortest match.

    Returns:
        Index of the first cell after the span, number of literals, and number of runs.
    """
    start, stop = span
    num_literals, num_runs, num_noted = np.uint64(0), np.uint64(0), np.uint64(0)
    shortest, one = np.uint64(_SHORTEST_MATCH), np.uint64(1)
    place, end, entry = np.uint64(start), np.uint64(stop), np.uint64(first)
    while place < end:
        cell = np.uint64(cells[entry]) if entry < len(cells) else end
        cell = min(cell, end)
        num_zeros = cell - place
        for zero in range(_SHORTEST_MATCH):
            literals[num_literals + np.uint64(zero)] = 0
        # No branches, because the processor could not predict them.
        is_run = num_zeros > shortest
        num_literals += one if is_run else num_zeros
        runs[num_runs, 0] = num_literals - num_noted
        runs[num_runs, 1] = num_zeros - one - shortest
        num_noted = num_literals if is_run else num_noted
        num_runs += np.uint64(is_run)
        if cell < end:
            literals[num_literals] = values[entry]
            num_literals += one
            entry += one
        place = cell + one
    return np.int64(entry), np.int64(num_literals), np.int64(num_runs)


@no_type_check
@njit(cache=True, nogil=True)
def _write_raw(cells: Cells, values: Bytes, span: tuple[int, int], out: Bytes, start: int) -> int:
    """Write a span of bytes uncompressed; return the index after it."""
    end = start + span[1] - span[0]
    for place in range(start, end):
        out[place] = 0
    for entry in range(len(cells)):
        out[start + np.int64(cells[entry]) - span[0]] = values[entry]
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _write_literals(literals: Bytes, code: Code, description: Bytes, out: Bytes, start: int) -> int:
    """Write the description of a code, if any, and encoded literals; return the index after them.

    Source: Section 3.1.1.3.1.
    """
    num = len(literals)
    # Number of streams, size format, bits per size, bytes of the header and of the jump table.
    streams = (4, 3, 18, 5, 6) if num >= _SEVERAL_STREAMS else (1, 0, 10, 3, 0)
    num_streams, size_format, size_bits, header_bytes, jump_bytes = streams
    content = start + header_bytes
    jumps = _copy(description, out, content)
    end = jumps + jump_bytes
    each = -(-num // num_streams)
    for stream in range(num_streams):
        begin = end
        end = _write_stream(literals[stream * each : (stream + 1) * each], code, out, begin)
        if stream < num_streams - 1:
            _write_number(end - begin, 2, out, jumps + 2 * stream)
    kind = _CODED if len(description) > 0 else _CODED_AS_BEFORE
    header = kind | size_format << 2 | num << 4 | end - content << 4 + size_bits
    _write_number(header, header_bytes, out, start)
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _write_stream(literals: Bytes, code: Code, out: Bytes, start: int) -> int:
    """Write literals from last to first, because decoders read backwards; section 4.2.2."""
    end, bits, num = np.uint64(start), np.uint64(0), np.uint64(0)
    for index in range(len(literals) - 1, -1, -1):
        entry = np.uint64(code[literals[index]])
        bits |= (entry >> np.uint64(8)) << num
        num += entry & np.uint64(255)
        if num > 64 - 2 * LONGEST_CODE:
            end, bits, num = _flush(out, end, bits, num)
    return _finish(out, end, bits, num)


@no_type_check
@njit(cache=True, nogil=True)
def _write_runs(runs: Runs, tables: Tables, description: Bytes, out: Bytes, start: int) -> int:
    """Write runs as sequences, from last to first; return the index after them.

    Source: Sections 3.1.1.3.2 and 4.1.
    """
    # Two bytes can hold the number of runs in any block.
    _write_number(0x80 | len(runs) >> 8 | (len(runs) & 255) << 8, 2, out, start)
    out[start + 2] = _MODES_DESCRIBED if len(description) > 0 else _MODES_AS_BEFORE
    end = np.uint64(_copy(description, out, start + 3))
    bits, num = np.uint64(0), np.uint64(0)
    # The initial states are arbitrary; the bits of the first transitions are not written.
    literal_state = match_state = np.uint64(1 << ACCURACY_LOG)
    for index in range(len(runs) - 1, -1, -1):
        end, bits, num = _flush(out, end, bits, num)
        num_literals, length = np.uint64(runs[index, 0]), np.uint64(runs[index, 1])
        rest, width, match_state, match_extra = _step(tables.matches, length, match_state)
        bits |= rest << num
        num += width
        rest, width, literal_state, extra = _step(tables.literals, num_literals, literal_state)
        bits |= rest << num
        num += width
        if index == len(runs) - 1:
            bits, num = np.uint64(0), np.uint64(0)
        bits |= _low(num_literals, extra) << num
        num += extra
        bits |= _low(length, match_extra) << num
        num += match_extra
    end, bits, num = _flush(out, end, bits, num)
    for state in (match_state, literal_state):
        bits |= _low(state, np.uint64(ACCURACY_LOG)) << num
        num += np.uint64(ACCURACY_LOG)
    return _finish(out, end, bits, num)


@no_type_check
@njit(cache=True, nogil=True)
def _step(table: LengthTable, length: int, state: int) -> tuple[int, int, int, int]:
    """Encode the code of a length.

    Returns:
        Bits of the state to write, number of these bits, next state, and number of low bits of the
        length that follow its code.
    """
    short, step = np.uint64(SHORT_LENGTHS), np.uint64(_SHORT_LENGTH_BITS)
    code = table.codes[length if length < short else short - np.uint64(1) + (length >> step)]
    width = state + np.uint64(table.num_bits[code]) >> np.uint64(16)
    next_state = table.states[np.int64(state >> width) + table.first_state[code]]
    return _low(state, width), width, np.uint64(next_state), np.uint64(table.extra_bits[code])


@no_type_check
@njit(cache=True, nogil=True)
def _low(value: int, num_bits: int) -> int:
    return value & (np.uint64(1) << num_bits) - np.uint64(1)


@no_type_check
@njit(cache=True, nogil=True)
def _flush(out: Bytes, end: int, bits: int, num: int) -> tuple[int, int, int]:
    """Write the whole bytes of `num` bits, at most 63; return the end and the remaining bits."""
    for place in range(8):
        out[end + np.uint64(place)] = bits >> np.uint64(8 * place) & np.uint64(255)
    written = num >> np.uint64(3)
    return end + written, bits >> (written << np.uint64(3)), num & np.uint64(7)


@no_type_check
@njit(cache=True, nogil=True)
def _finish(out: Bytes, end: int, bits: int, num: int) -> int:
    """Write the last bits, at most 55, and the end mark; return the end."""
    end, bits, num = _flush(out, end, bits | np.uint64(1) << num, num + np.uint64(8))
    return np.int64(end)


@no_type_check
@njit(cache=True, nogil=True)
def _write_number(value: int, num_bytes: int, out: Bytes, start: int) -> None:
    for place in range(num_bytes):
        out[start + place] = value >> (8 * place) & 255


@no_type_check
@njit(cache=True, nogil=True)
def _copy(source: Bytes, out: Bytes, start: int) -> int:
    for place in range(len(source)):
        out[start + place] = source[place]
    return start + len(source)
