"""Parses numbers in lines of text exactly, including fractions and exponents."""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Int64, UInt8
from numba import njit

FAULTS = {
    1: "contains a value that is not a number",
    2: "contains fewer values than there are columns",
    3: "contains more values than there are columns",
    4: "contains a fraction instead of a whole number",
    5: "contains a number that is too large",
}

_NEWLINE, _RETURN, _MINUS, _PLUS, _DOT = 10, 13, 45, 43, 46
_HASH, _PERCENT, _LARGE_E, _SMALL_E = 35, 37, 69, 101
_ZERO, _NINE = 48, 57
_MOST_MANTISSA = 10**17
_LARGEST = 9 * 10**18
_MOST_EXPONENT = 400

Text = UInt8[np.ndarray, " B"]


class LineFormat(NamedTuple):
    """Meaning of the values in a line.

    Attributes:
        columns: Column of the table for each value; -1 for values that are ignored.
        exponents: Power of ten by which each value is multiplied.
        are_whole: 1 for values that must be whole numbers; others are rounded.
    """

    columns: Int64[np.ndarray, " C"]
    exponents: Int64[np.ndarray, " C"]
    are_whole: UInt8[np.ndarray, " C"]


@no_type_check
@njit(cache=True, nogil=True)
def _is_separator(byte: int) -> bool:
    return byte in (32, 9, 44, 59, 34, _RETURN)  # space, tab, comma, semicolon, quotation mark


@no_type_check
@njit(cache=True, nogil=True)
def _is_digit(byte: int) -> bool:
    return _ZERO <= byte <= _NINE


@no_type_check
@njit(cache=True, nogil=True)
def _scaled(mantissa: int, exponent: int, must_be_whole: bool) -> tuple[int, int]:  # noqa: FBT001  keywords are not compiled
    """`mantissa * 10**exponent`, rounded half up, and a fault, or 0 without one."""
    value, is_negative = abs(mantissa), mantissa < 0
    while exponent > 0 and value:
        if value > _LARGEST // 10:
            return 0, 5
        value *= 10
        exponent -= 1
    rest = 0
    while exponent < 0 and (value or rest):
        if must_be_whole and value % 10:
            return 0, 4
        rest = value % 10
        value //= 10
        exponent += 1
    if not must_be_whole and rest >= 5:  # noqa: PLR2004  half
        value += 1
    return -value if is_negative else value, 0


@no_type_check
@njit(cache=True, nogil=True)
def _is_one_of(text: Text, place: int, stop: int, first: int, last: int) -> bool:
    return place < stop and (text[place] == first or text[place] == last)


@no_type_check
@njit(cache=True, nogil=True)
def _mantissa(text: Text, place: int, stop: int) -> tuple[int, int, int, int]:
    """Digits with an optional point: mantissa, exponent, number of digits, position after them."""
    mantissa, exponent, num_digits, is_fraction = 0, 0, 0, False
    while place < stop:
        byte = np.int64(text[place])
        if byte == _DOT and not is_fraction:
            is_fraction = True
        elif not _is_digit(byte):
            break
        else:
            num_digits += 1
            if mantissa < _MOST_MANTISSA:
                mantissa = 10 * mantissa + byte - _ZERO
                exponent -= is_fraction
            else:
                exponent += not is_fraction
        place += 1
    return mantissa, exponent, num_digits, place


@no_type_check
@njit(cache=True, nogil=True)
def _power(text: Text, place: int, stop: int) -> tuple[int, int, int]:
    """The number after an `e`, its number of digits, and the position after it."""
    is_negative = _is_one_of(text, place, stop, _MINUS, _MINUS)
    place += _is_one_of(text, place, stop, _MINUS, _PLUS)
    power, num_digits = 0, 0
    while place < stop and _is_digit(text[place]):
        power = min(10 * power + np.int64(text[place]) - _ZERO, _MOST_EXPONENT)
        num_digits += 1
        place += 1
    return -power if is_negative else power, num_digits, place


@no_type_check
@njit(cache=True, nogil=True)
def _number(text: Text, place: int, stop: int) -> tuple[int, int, int, int]:
    """Mantissa and exponent of the number at `place`, a fault or 0, and the position after it."""
    is_negative = text[place] == _MINUS
    place += _is_one_of(text, place, stop, _MINUS, _PLUS)
    mantissa, exponent, num_digits, place = _mantissa(text, place, stop)
    if num_digits and _is_one_of(text, place, stop, _LARGE_E, _SMALL_E):
        power, num_digits, place = _power(text, place + 1, stop)
        exponent += power
    fault = 1 if num_digits == 0 or (place < stop and not _is_separator(text[place])) else 0
    return -mantissa if is_negative else mantissa, exponent, fault, place


@no_type_check
@njit(cache=True, nogil=True)
def _skip_separators(text: Text, place: int, stop: int) -> int:
    while place < stop and _is_separator(text[place]):
        place += 1
    return place


@no_type_check
@njit(cache=True, nogil=True)
def _skip_value(text: Text, place: int, stop: int) -> int:
    while place < stop and not _is_separator(text[place]):
        place += 1
    return place


@no_type_check
@njit(cache=True, nogil=True)
def _parse_line(
    line: Text, line_format: LineFormat, values: Int64[np.ndarray, " F"]
) -> tuple[int, int]:
    """Fill `values` with those of a line; return their number, and a fault or 0."""
    columns = line_format.columns
    index, place = 0, _skip_separators(line, 0, len(line))
    if _is_one_of(line, place, len(line), _HASH, _PERCENT):
        return 0, 0
    while place < len(line):
        if index == len(columns):
            return index, 3
        if columns[index] < 0:
            place = _skip_value(line, place, len(line))
        else:
            mantissa, exponent, fault, place = _number(line, place, len(line))
            if not fault:
                exponent += line_format.exponents[index]
                value, fault = _scaled(mantissa, exponent, line_format.are_whole[index] > 0)
                values[columns[index]] = value
            if fault:
                return index, fault
        index += 1
        place = _skip_separators(line, place, len(line))
    return index, 2 if 0 < index < len(columns) else 0


@no_type_check
@njit(cache=True, nogil=True)
def parse_lines(
    text: Text, line_format: LineFormat, values: Int64[np.ndarray, "N F"]
) -> tuple[int, int, int]:
    """Parse whole lines; empty lines and lines that begin with `#` or `%` are skipped.

    Values are separated by spaces, tabs, commas or semicolons, and may be in quotation marks.

    Args:
        text: Lines; the last one need not end with a line feed.
        line_format: Meaning of their values.
        values: Filled with one row per line.

    Returns:
        Number of lines read; a key of `FAULTS`, or 0; first byte of the faulty line.
    """
    place, count = 0, 0
    while place < len(text):
        stop = place
        while stop < len(text) and text[stop] != _NEWLINE:
            stop += 1
        line = text[place:stop]
        num_values, fault = _parse_line(line, line_format, values[count])
        if fault:
            return count, fault, place
        count += num_values > 0
        place = stop + 1
    return count, 0, 0
