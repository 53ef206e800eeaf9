"""Compiled loops that make a Zstandard prefix code for the literals of one image.

Source: RFC 8878, section 4.2.1.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Int64, UInt8, UInt32
from numba import njit

LARGEST_LITERAL = 128
"""Larger ones would need a code that is described in another way; section 4.2.1.1."""

LONGEST_CODE = 11
"""Bits of a literal's code, at most; section 4.2.1."""

Bytes = UInt8[np.ndarray, " B"]
Code = UInt32[np.ndarray, " V"]


@no_type_check
@njit(cache=True, nogil=True)
def count_literals(values: Bytes) -> Int64[np.ndarray, " V"]:
    """How often about each value is a literal, up to the largest."""
    counts = np.zeros(LARGEST_LITERAL + 1, np.int64)
    # Nearly every value follows a zero that begins a run.
    counts[0] = len(values) + 1
    largest = 0
    for entry in range(len(values)):
        value = np.int64(values[entry])
        counts[value] += 1
        largest = max(largest, value)
    return counts[: largest + 1]


@no_type_check
@njit(cache=True, nogil=True)
def make_code(counts: Int64[np.ndarray, " V"]) -> Code:
    """Prefix code of literals: the bits of each, above eight bits that say how many they are.

    Source: Section 4.2.1.3.
    """
    lengths = _code_lengths(counts)
    code = np.zeros(len(counts), np.uint32)
    bits = 0
    for length in range(LONGEST_CODE, 0, -1):
        for literal in range(len(counts)):
            if lengths[literal] == length:
                code[literal] = bits << 8 | length
                bits += 1
        bits >>= 1
    return code


@no_type_check
@njit(cache=True, nogil=True)
def _code_lengths(counts: Int64[np.ndarray, " V"]) -> Int64[np.ndarray, " V"]:
    """Lengths of Shannon's code, some of which are then shortened until the code is complete.

    Source: Shannon, "A Mathematical Theory of Communication", section 9.
    """
    num, total = 0, 0
    for literal in range(len(counts)):
        num += counts[literal] > 0
        total += counts[literal]
    # Counting all a little more often keeps the codes of rare ones short enough.
    extra = (total >> 10) + 1
    total += num * extra
    weights, lengths = np.zeros(len(counts), np.int64), np.zeros(len(counts), np.int64)
    left = 1 << LONGEST_CODE
    for literal in range(len(counts)):
        if counts[literal] > 0:
            weights[literal] = counts[literal] + extra
            while weights[literal] << lengths[literal] < total:
                lengths[literal] += 1
            left -= 1 << (LONGEST_CODE - lengths[literal])
    while left > 0:
        best, most = 0, 0
        for literal in range(len(counts)):
            gain = weights[literal] << lengths[literal]
            if gain > most and 1 << (LONGEST_CODE - lengths[literal]) <= left:
                best, most = literal, gain
        left -= 1 << (LONGEST_CODE - lengths[best])
        lengths[best] -= 1
    return lengths


@no_type_check
@njit(cache=True, nogil=True)
def describe_code(code: Code) -> Bytes:
    """Lengths of a code, but for the last, which follows from the others.

    Source: Section 4.2.1.1.
    """
    num, longest = len(code) - 1, 0
    for literal in range(len(code)):
        longest = max(longest, np.int64(code[literal] & 255))
    description = np.zeros(1 + (num + 1) // 2, np.uint8)
    description[0] = 127 + num
    for literal in range(num):
        length = np.int64(code[literal] & 255)
        if length > 0:
            description[1 + literal // 2] |= longest + 1 - length << (4 - literal % 2 * 4)
    return description
