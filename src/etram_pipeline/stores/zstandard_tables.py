"""Tables to encode Zstandard sequences, for images that are mostly zero.

The probabilities are fixed, so each image is read only once. Compared with probabilities fitted to
each image, files are 2 to 4 % larger, or up to 10 % larger for images with few events.

Source: RFC 8878, sections 3.1.1.3.2.1 (codes) and 4.1 (finite state entropy).
"""

from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Int64, UInt8, UInt16, UInt32

ACCURACY_LOG = 9
"""Binary logarithm of the sum of the probabilities; the largest that RFC 8878 allows here."""

_NUM_STATES = 1 << ACCURACY_LOG

# Measured on simulated traffic at 1280 x 720 px: histograms of 0.2 to 5 million events a second,
# at half and at full resolution. No probability is 0, so that every length can be encoded.
_LITERAL_LENGTHS = (1, 2, 292, 101, 41, 21, 13, 7, 4, 3, 2) + 25 * (1,)
# fmt: off
_MATCH_LENGTHS = (
    16, 16, 13, 13, 15, 15, 13, 10, 8, 7, 7, 7, 8, 12, 12, 14, 13, 8, 6, 4, 3, 4, 4, 3, 4, 4, 3, 2,
    2, 2, 3, 4, 6, 6, 6, 4, 7, 6, 12, 7, 13, 11, 11, 31, 39, 54, 23, 9, 5, 3, 2, 1, 1,
)
_LITERAL_EXTRA_BITS = 16 * (0,) + (1, 1, 1, 1, 2, 2, 3, 3, 4, *range(6, 17))
_MATCH_EXTRA_BITS = 32 * (0,) + (1, 1, 1, 1, 2, 2, 3, 3, 4, 4, 5, *range(7, 17))
# fmt: on
SHORT_LENGTHS = 128
"""Lengths below this have a table of codes; the highest bit of a longer one determines its code."""

_LONGEST = 2**17
_OFFSET_IS_LAST = 0
"""Offset code that repeats the last offset, which is initially 1."""


class LengthTable(NamedTuple):
    """Table to encode one kind of length.

    Attributes:
        codes: Code of each length below 128, then one code per 128 lengths.
        extra_bits: For each code, number of low bits of a length that follow the code.
        num_bits: For each code, 2**16 times the number of bits written from a state, with a
            correction for the states that write one bit less.
        first_state: For each code, offset from the remaining bits of a state to its next state in
            `states`.
        states: The next states, grouped by code.
    """

    codes: UInt8[np.ndarray, " L"]
    extra_bits: UInt8[np.ndarray, " S"]
    num_bits: UInt32[np.ndarray, " S"]
    first_state: Int64[np.ndarray, " S"]
    states: UInt16[np.ndarray, " N"]


class Tables(NamedTuple):
    """Tables to encode sequences.

    Attributes:
        literals: Table for numbers of literals.
        matches: Table for lengths of matches, minus 3.
        description: Description of the tables for decoders.
    """

    literals: LengthTable
    matches: LengthTable
    description: UInt8[np.ndarray, " B"]


@cache
def make_tables() -> Tables:
    """Make the tables and their description."""
    description = _describe(_LITERAL_LENGTHS) + bytes([_OFFSET_IS_LAST]) + _describe(_MATCH_LENGTHS)
    return Tables(
        _length_table(_LITERAL_LENGTHS, _LITERAL_EXTRA_BITS),
        _length_table(_MATCH_LENGTHS, _MATCH_EXTRA_BITS),
        np.frombuffer(description, np.uint8),
    )


def _length_table(probabilities: tuple[int, ...], extra_bits: tuple[int, ...]) -> LengthTable:
    share = np.array(probabilities)
    # Smallest number of bits for which twice the states of a code do not fill the table.
    most_bits = np.array([ACCURACY_LOG - (each - 1).bit_length() + 1 for each in probabilities])
    most_bits[share == 1] = ACCURACY_LOG
    return LengthTable(
        codes=_codes(extra_bits),
        extra_bits=np.array(extra_bits, np.uint8),
        num_bits=((most_bits << 16) - (share << most_bits)).astype(np.uint32),
        first_state=np.cumsum(share) - 2 * share,
        states=_states(probabilities),
    )


def _codes(extra_bits: tuple[int, ...]) -> UInt8[np.ndarray, " L"]:
    """Codes of the lengths below `SHORT_LENGTHS`, then of every `SHORT_LENGTHS`-th length."""
    bases = np.cumsum([0, *(1 << bits for bits in extra_bits[:-1])])
    lengths = np.array([*range(SHORT_LENGTHS), *range(SHORT_LENGTHS, _LONGEST, SHORT_LENGTHS)])
    return (np.searchsorted(bases, lengths, side="right") - 1).astype(np.uint8)


def _states(probabilities: tuple[int, ...]) -> UInt16[np.ndarray, " N"]:
    """States of each code in order; a code's states are spread over the table."""
    step = (_NUM_STATES >> 1) + (_NUM_STATES >> 3) + 3
    code_of_state = np.empty(_NUM_STATES, np.int64)
    code_of_state[np.arange(_NUM_STATES) * step % _NUM_STATES] = np.repeat(
        np.arange(len(probabilities)), probabilities
    )
    return (_NUM_STATES + np.argsort(code_of_state, kind="stable")).astype(np.uint16)


def _describe(probabilities: tuple[int, ...]) -> bytes:
    """Encode non-zero probabilities for decoders; RFC 8878, section 4.1.1."""
    bits, num_bits = ACCURACY_LOG - 5, 4
    remaining = _NUM_STATES
    for probability in probabilities:
        value, largest = probability + 1, remaining + 1
        width = largest.bit_length()
        num_short = (1 << width) - 1 - largest
        if value < num_short:
            width -= 1
        elif value >= 1 << (width - 1):
            value += num_short
        bits |= value << num_bits
        num_bits += width
        remaining -= probability
    return bits.to_bytes(-(-num_bits // 8), "little")
