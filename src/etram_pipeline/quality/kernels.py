"""Compiled loops over the events of a chunk; each reads different columns.

They release the interpreter's lock and are compiled once per machine. `no_type_check` hides them
from the run-time type checks of the tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Int64, UInt8, UInt16, UInt32
from numba import njit

_REACH = 2


@no_type_check
@njit(cache=True, nogil=True)
def add_pixels(
    x: UInt16[np.ndarray, " N"],
    y: UInt16[np.ndarray, " N"],
    polarity: UInt8[np.ndarray, " N"],
    counts: UInt32[np.ndarray, "H W"],
) -> int:
    """Add the events of each pixel to `counts`; return the number of rising events.

    Args:
        x: Columns, in px.
        y: Rows, in px.
        polarity: 1 for rising, 0 for falling brightness.
        counts: Events per pixel.
    """
    height, width = np.uint32(counts.shape[0]), np.uint32(counts.shape[1])
    cells = counts.reshape(-1)
    num_rising = np.int64(0)
    for i in range(len(x)):
        column, row = np.uint32(x[i]), np.uint32(y[i])
        if column < width and row < height:
            cells[np.uint64(row) * width + column] += np.uint32(1)
        num_rising += polarity[i]
    return num_rising


@no_type_check
@njit(cache=True, nogil=True)
def add_rates(
    t_us: Int64[np.ndarray, " N"], origin_us: int, shift: int, counts: Int64[np.ndarray, " B"]
) -> None:
    """Count events in bins of `2 ** shift` microseconds, the first of which starts at the origin.

    Times never decrease, so a binary search for the border of each bin suffices.

    Args:
        t_us: Times in non-decreasing order, in microseconds.
        origin_us: Start of the first bin, in microseconds.
        shift: Binary logarithm of the length of a bin in microseconds.
        counts: Events per bin.
    """
    first = np.int64(0)
    while first < len(t_us):
        place = (t_us[first] - origin_us) >> shift
        low, high = first, np.int64(len(t_us))
        while low < high:
            middle = (low + high) >> 1
            if (t_us[middle] - origin_us) >> shift > place:
                high = middle
            else:
                low = middle + 1
        counts[place] += low - first
        first = low


@no_type_check
@njit(cache=True, nogil=True)
def add_gaps(
    t_us: Int64[np.ndarray, " N"], previous_us: int, shortest_us: int, gaps: Int64[np.ndarray, " 4"]
) -> None:
    """Add the times without events that are longer than `shortest_us` to `gaps`.

    Args:
        t_us: Times in non-decreasing order, in microseconds.
        previous_us: Time of the event before them.
        shortest_us: Longest time between two events that does not count as a gap.
        gaps: Number of gaps, total length, and length and start of the longest, in microseconds.
    """
    for i in range(len(t_us)):
        distance_us = t_us[i] - previous_us
        if distance_us > shortest_us:
            gaps[0] += 1
            gaps[1] += distance_us
            if distance_us > gaps[2]:
                gaps[2], gaps[3] = distance_us, previous_us
        previous_us = t_us[i]


@no_type_check
@njit(cache=True, nogil=True)
def find_hot_pixels(
    counts: UInt32[np.ndarray, "H W"], least: float, factor: float
) -> Bool[np.ndarray, "H W"]:
    """Pixels with at least `least` events and `factor` times as many as their surroundings.

    The surroundings are represented by the second most active of the 5 x 5 pixels around, fewer at
    the border of the sensor: an edge or a lamp covers several of them, another hot pixel only one.

    Args:
        counts: Events per pixel.
        least: Smallest number of events of a hot pixel.
        factor: Smallest ratio between a hot pixel and its surroundings.
    """
    height, width = counts.shape
    hot = np.zeros(counts.shape, np.bool_)
    for row in range(height):
        for column in range(width):
            if counts[row, column] < least:
                continue
            highest = second = np.uint32(0)
            for y in range(max(row - _REACH, 0), min(row + _REACH + 1, height)):
                for x in range(max(column - _REACH, 0), min(column + _REACH + 1, width)):
                    if y != row or x != column:
                        second = max(second, min(highest, counts[y, x]))
                        highest = max(highest, counts[y, x])
            hot[row, column] = counts[row, column] >= factor * second
    return hot
