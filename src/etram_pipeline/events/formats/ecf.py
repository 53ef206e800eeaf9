"""Decoder of ECF, the compression of events in Prophesee's HDF5 files, chunk by chunk.

A chunk holds all times, then all rows, columns and polarities, packed in one of three ways.
Source: prophesee-ai/hdf5_ecf, ecf_codec.cpp.

Every read is checked against the chunk's length and every write against the number of events,
because a damaged chunk may claim anything. Functions return the byte position they have reached; it
lies beyond the end of the chunk if the chunk is damaged.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Int64, UInt, UInt8, UInt16
from numba import njit

from etram_pipeline.events.formats.encoding import EventArrays

GroupArrays = tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]]

FILTER = 0x8ECF
"""Number of the HDF5 filter."""

LARGEST_CHUNK = 65_535
"""Most events a chunk can hold."""

MOST_BYTES_PER_EVENT = 32
"""Upper bound of the bytes per event, in every packing."""

_HEADER_BYTES = 12
_COORDINATE_MASK = 0x7FF
_LONG_STEP = _LONG_RUN = 15  # stored in four bits
_LARGEST_SHIFT = 60
_PLACE_PART_BITS, _COLUMN_PART_BITS = 8, 4


@no_type_check
@njit(cache=True, nogil=True)
def decode_chunk(chunk: UInt8[np.ndarray, " B"], events: EventArrays) -> int:
    """Decode a chunk into arrays with room for the largest possible chunk.

    Returns:
        Number of events; -1 where the chunk is damaged.
    """
    if len(chunk) < _HEADER_BYTES:
        return -1
    info = _number(chunk, 0, 4)
    num_events, are_places_packed, are_columns_packed = info >> 2, (info >> 1) & 1, info & 1
    x, y, t_us, polarity = events
    if num_events > len(t_us):
        return -1
    x, y, t_us = x[:num_events], y[:num_events], t_us[:num_events]
    polarity = polarity[:num_events]
    place = _decode_times(chunk, t_us)
    if are_places_packed:
        place = _decode_groups(chunk, place, (x, y, polarity), _PLACE_PART_BITS)
    else:
        place = _decode_runs(chunk, place, y, 2)
        if are_columns_packed:
            place = _decode_groups(chunk, place, (x, y, polarity), _COLUMN_PART_BITS)
        else:
            place = _decode_masks(chunk, place, x)
            place = _decode_runs(chunk, place, polarity, 1)
    return num_events if place <= len(chunk) else -1


@no_type_check
@njit(cache=True, nogil=True)
def _number(chunk: UInt8[np.ndarray, " B"], place: int, num_bytes: int) -> int:
    """A little-endian number of some bytes; 0 if it lies outside the chunk."""
    value = np.int64(0)
    if place + num_bytes <= len(chunk):
        for byte in range(num_bytes):
            value |= np.int64(chunk[place + byte]) << (8 * byte)
    return value


@no_type_check
@njit(cache=True, nogil=True)
def _decode_times(chunk: UInt8[np.ndarray, " B"], t_us: Int64[np.ndarray, " N"]) -> int:
    """Runs of equal times: four bits for the time step, and four or sixteen more for the length.

    A byte with the largest step holds four bits of a longer step, the lowest first, and no run.
    """
    time_us, place, num_done = _number(chunk, 4, 8), _HEADER_BYTES, 0
    while num_done < len(t_us):
        shift = 0
        while place < len(chunk) and chunk[place] >> 4 == _LONG_STEP and shift <= _LARGEST_SHIFT:
            time_us += np.int64(chunk[place] & 15) << shift
            shift += 4
            place += 1
        if place >= len(chunk):
            return len(chunk) + 1
        time_us += chunk[place] >> 4
        length = np.int64(chunk[place] & 15)
        place += 1
        if length == _LONG_RUN:
            length = _number(chunk, place, 2)
            place += 2
        if place > len(chunk) or length > len(t_us) - num_done:
            return len(chunk) + 1
        t_us[num_done : num_done + length] = time_us
        num_done += length
    return place


@no_type_check
@njit(cache=True, nogil=True)
def _decode_runs(
    chunk: UInt8[np.ndarray, " B"], place: int, values: UInt[np.ndarray, " N"], word_bytes: int
) -> int:
    """Runs of equal values: the low bits of a word are the length; if all are 1, 16 bits follow.

    Rows use words of two bytes with five bits of length; polarities one byte with seven bits.
    """
    length_bits = 5 if word_bytes == 2 else 7  # noqa: PLR2004  see above
    longest = (1 << length_bits) - 1
    num_done = 0
    while num_done < len(values):
        word = _number(chunk, place, word_bytes)
        place += word_bytes
        length = word & longest
        if length == longest:
            length = _number(chunk, place, 2)
            place += 2
        if place > len(chunk) or length > len(values) - num_done:
            return len(chunk) + 1
        values[num_done : num_done + length] = word >> length_bits
        num_done += length
    return place


@no_type_check
@njit(cache=True, nogil=True)
def _decode_groups(
    chunk: UInt8[np.ndarray, " B"], place: int, events: GroupArrays, part_bits: int
) -> int:
    """Groups of four events in three words of four parts; an event has three parts.

    The first event fills the first word from the top, the next one the rest of it, and so on.
    Parts of eight bits hold row, column and polarity; parts of four bits column and polarity.
    """
    x, y, polarity = events
    word_bytes = part_bits // 2
    end = place + (len(x) + 3) // 4 * 3 * word_bytes
    if end > len(chunk):
        return end
    for first in range(0, len(x), 4):
        a = _number(chunk, place, word_bytes)
        b = _number(chunk, place + word_bytes, word_bytes)
        c = _number(chunk, place + 2 * word_bytes, word_bytes)
        group = (
            a >> part_bits,
            (a & ((1 << part_bits) - 1)) | (b >> (2 * part_bits) << part_bits),
            (b & ((1 << (2 * part_bits)) - 1)) | (c >> (3 * part_bits) << (2 * part_bits)),
            c & ((1 << (3 * part_bits)) - 1),
        )
        for member in range(min(4, len(x) - first)):
            x[first + member] = (group[member] >> 1) & _COORDINATE_MASK
            polarity[first + member] = group[member] & 1
            if part_bits == _PLACE_PART_BITS:
                y[first + member] = (group[member] >> 12) & _COORDINATE_MASK
        place += 3 * word_bytes
    return end


@no_type_check
@njit(cache=True, nogil=True)
def _decode_masks(chunk: UInt8[np.ndarray, " B"], place: int, x: UInt16[np.ndarray, " N"]) -> int:
    """Eleven bits for a column, and one bit for each of the next five columns.

    Bits after the last event have no meaning.
    """
    num_done = 0
    while num_done < len(x):
        word = _number(chunk, place, 2)
        place += 2
        if place > len(chunk):
            return place
        x[num_done] = word >> 5
        num_done += 1
        for offset in range(1, 6):
            if (word >> (5 - offset)) & 1 and num_done < len(x):
                x[num_done] = (word >> 5) + offset
                num_done += 1
    return place
