"""Compiled loops over events.

They release the interpreter's lock and are compiled once per machine. `no_type_check` hides them
from the run-time type checks of the tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Int8, Int64, Integer, Shaped, UInt8, UInt16, UInt32, UInt64
from numba import njit

_BLOCK = 2048
_DE_BRUIJN = np.uint64(0x03F79D71B4CB0A89)
_BIT_NUMBERS = np.zeros(64, np.uint8)
for _bit in range(64):
    _BIT_NUMBERS[(int(_DE_BRUIJN) << _bit & 2**64 - 1) >> 58] = _bit


@no_type_check
@njit(cache=True, nogil=True)
def copy_checked(
    events: tuple[Integer[np.ndarray, " N"], Integer[np.ndarray, " N"], Shaped[np.ndarray, " N"]],
    size: tuple[int, int],
    copies: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
) -> tuple[int, bool]:
    """Copy columns, rows and polarities; polarities become 0 or 1.

    Args:
        events: Columns, rows and polarities. Events outside the sensor may be changed in the copy.
        size: Height and width of the sensor, in px.
        copies: Destination arrays.

    Returns:
        Number of events outside the sensor, and whether any polarity is greater than 1.
    """
    x, y, polarity = events
    height, width = size
    num_outside, num_foreign = 0, 0
    for i in range(len(x)):
        num_outside += (x[i] < 0) | (x[i] >= width) | (y[i] < 0) | (y[i] >= height)
        copies[0][i] = x[i]
        copies[1][i] = y[i]
    for i in range(len(polarity)):
        num_foreign += polarity[i] > 1
        copies[2][i] = polarity[i] > 0
    return num_outside, num_foreign > 0


@no_type_check
@njit(cache=True, nogil=True)
def linear_edges(t_us: Int64[np.ndarray, " N"], bins: int) -> Int64[np.ndarray, " E"]:
    """First event of each of `bins` equal parts of the events' own span, then the event count.

    The part of an event is computed in single precision, as in the reference. In windows of up to
    one second the result equals whole-number arithmetic; in longer windows an event at a border
    may fall on its other side.
    """
    edges = np.full(bins + 1, len(t_us), np.int64)
    edges[0] = 0
    for part in range(1, bins):
        low, high = edges[part - 1], np.int64(len(t_us))
        while low < high:
            middle = (low + high) >> 1
            if np.floor(np.float32(_share(t_us, middle) * np.float32(bins))) >= part:
                high = middle
            else:
                low = middle + 1
        edges[part] = low
    return edges


@no_type_check
@njit(cache=True, nogil=True)
def halving_edges(t_us: Int64[np.ndarray, " N"], bins: int) -> Int64[np.ndarray, " E"]:
    """First event of each part, every part half as long as the one after it; then the event count.

    Uses single precision with a correctly rounded logarithm, so that events fall into the same
    parts as in the reference.
    """
    edges = np.full(bins + 1, len(t_us), np.int64)
    edges[0] = 0
    for part in range(1, bins):
        low, high = edges[part - 1], np.int64(len(t_us))
        while low < high:
            middle = (low + high) >> 1
            share = min(max(_share(t_us, middle), np.float32(1e-6)), np.float32(1 - 1e-6))
            halvings = np.float32(np.float32(np.log(np.float64(share))) / np.float32(np.log(0.5)))
            if np.floor(np.float32(np.float32(bins) - halvings)) >= part:
                high = middle
            else:
                low = middle + 1
        edges[part] = low
    return edges


@no_type_check
@njit(cache=True, nogil=True)
def add_counts(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    edges: Int64[np.ndarray, " E"],
    grid: tuple[int, int, int, int],
    largest: int,
    image: UInt8[np.ndarray, "2 P H W"],
    touched: UInt32[np.ndarray, " K"],
) -> int:
    """Count events of each polarity and part in `image`.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count.
        grid: See `locate`.
        largest: Largest count; with 256 or more, counts wrap to 0 after 255.
        image: Image to add to.
        touched: Filled with the cells that were counted in, with repetitions; must have room for
            all events.

    Returns:
        Number of entries of `touched` that were filled.
    """
    counts = image.reshape(-1)
    plane = np.uint32(image.shape[2] * image.shape[3])
    stride = np.uint32(image.shape[1]) * plane
    num = np.uint64(0)
    for part in range(len(edges) - 1):
        first = num
        origin = np.uint32(part) * plane
        num = locate(events, (edges[part], edges[part + 1]), grid, (origin, stride), touched, num)
        for entry in range(first, num):
            cell = touched[entry]
            count = counts[cell]
            counts[cell] = count + np.uint8(count < largest)
    return np.int64(num)


@no_type_check
@njit(cache=True, nogil=True)
def limit(image: UInt8[np.ndarray, " C"], cells: UInt32[np.ndarray, " K"], largest: int) -> None:
    """Limit the counts in `cells` to `largest`."""
    for entry in range(len(cells)):
        image[cells[entry]] = min(image[cells[entry]], np.uint8(largest))


@no_type_check
@njit(cache=True, nogil=True)
def clear(image: UInt8[np.ndarray, " C"], cells: UInt32[np.ndarray, " K"]) -> None:
    """Set `cells` to zero."""
    for entry in range(len(cells)):
        image[cells[entry]] = 0


@no_type_check
@njit(cache=True, nogil=True)
def lift(
    image: UInt8[np.ndarray, " C"],
    cells: UInt32[np.ndarray, " K"],
    values: UInt8[np.ndarray, " K"],
    marks: tuple[UInt64[np.ndarray, " W"], UInt64[np.ndarray, " G"]],
) -> int:
    """Set `cells` to zero; keep each cell that was not zero once, in order.

    Args:
        image: The image, flattened.
        cells: Indices of cells in any order; replaced by those kept.
        values: Filled with the former values of those kept.
        marks: Zeros: one bit per cell, and one bit per 64 of those bits; zeros again on return.

    Returns:
        Number of cells kept.
    """
    one, low, six = np.uint64(1), np.uint64(63), np.uint64(6)
    words, groups = marks
    for entry in range(len(cells)):
        cell = np.uint64(cells[entry])
        word = cell >> six
        words[word] |= one << (cell & low)
        groups[word >> six] |= one << (word & low)
    num = np.uint64(0)
    for number in range(len(groups)):
        group = groups[number]
        groups[number] = 0
        while group:
            word = np.uint64(number) << six | _lowest_bit(group)
            group &= group - one
            bits = words[word]
            words[word] = 0
            while bits:
                cell = word << six | _lowest_bit(bits)
                bits &= bits - one
                value = image[cell]
                image[cell] = 0
                cells[num] = cell
                values[num] = value
                num += np.uint64(value != 0)
    return np.int64(num)


@no_type_check
@njit(cache=True, nogil=True)
def add_balances(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    edges: Int64[np.ndarray, " E"],
    grid: tuple[int, int, int, int],
    balances: Integer[np.ndarray, " C"],
    limits: tuple[int, int],
    image: Int8[np.ndarray, "P H W"],
) -> None:
    """Write the number of rises minus falls of each cell, up to the end of each part, to `image`.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count.
        grid: See `locate`.
        balances: Zeros, one per cell, used for the sums; sums overflow according to their type.
        limits: Lowest and highest value to write.
        image: Image to write to.
    """
    plane = np.uint32(len(balances))
    cells = np.empty(edges[-1], np.uint32)
    for part in range(len(edges) - 1):
        span = edges[part], edges[part + 1]
        num = locate(events, span, grid, (np.uint32(0), plane), cells, np.uint64(0))
        for entry in range(num):
            rose = np.uint32(cells[entry] >= plane)
            balances[cells[entry] - rose * plane] += 2 * np.int32(rose) - 1
        values = image[part].reshape(-1)
        for cell in range(plane):
            values[cell] = min(max(balances[cell], limits[0]), limits[1])


@no_type_check
@njit(cache=True, nogil=True)
def _lowest_bit(word: int) -> int:
    """Index of the lowest set bit, by a de Bruijn sequence."""
    lowest = word & (~word + np.uint64(1))
    return np.uint64(_BIT_NUMBERS[lowest * _DE_BRUIJN >> np.uint64(58)])


@no_type_check
@njit(cache=True, nogil=True)
def _share(t_us: Int64[np.ndarray, " N"], event: int) -> float:
    """Relative position of an event in the time span of all, from 0 to 1, in single precision."""
    span_us = max(t_us[-1] - t_us[0], 1)
    return np.float32(np.float32(t_us[event] - t_us[0]) / np.float32(span_us))


@no_type_check
@njit(cache=True, nogil=True)
def locate(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    span: tuple[int, int],
    grid: tuple[int, int, int, int],
    steps: tuple[int, int],
    cells: UInt32[np.ndarray, " K"],
    num: int,
) -> int:
    """Append the cells in which events fall to `cells`; return the new number of entries.

    Args:
        events: Columns, rows and polarities.
        span: First event, and the one after the last.
        grid: Rows and columns of the sensor that are used; how often the image halves them, 0 or 1;
            and 1 to use all pixels, or 0 to use only those in odd rows and columns, which is what
            nearest-neighbour interpolation keeps.
        steps: Cell of the first pixel, and offset of the cells of rising brightness.
        cells: Array to append to.
        num: Number of entries before.
    """
    x, y, polarity = events
    height, width, shift = np.uint32(grid[0]), np.uint32(grid[1]), np.uint32(grid[2])
    any_parity = np.uint32(grid[3])
    origin, stride = np.uint32(steps[0]), np.uint32(steps[1])
    one = np.uint32(1)
    row = width >> shift
    block_cells, is_kept = np.empty(_BLOCK, np.uint32), np.empty(_BLOCK, np.uint32)
    for start in range(span[0], span[1], _BLOCK):
        stop = min(start + _BLOCK, span[1])
        columns, lines, rises = x[start:stop], y[start:stop], polarity[start:stop]
        # Two loops without branches, so that the compiler can vectorise the first.
        for i in range(len(columns)):
            column, line = np.uint32(columns[i]), np.uint32(lines[i])
            rise = stride if rises[i] > 0 else np.uint32(0)
            block_cells[i] = origin + rise + (line >> shift) * row + (column >> shift)
            is_inside = np.uint32(column < width) & np.uint32(line < height)
            is_kept[i] = ((column & line & one) | any_parity) & is_inside
        for i in range(len(columns)):
            cells[num] = block_cells[i]
            num += np.uint64(is_kept[i])
    return num
