"""Compiled loops over events.

They release the interpreter's lock and are compiled once per machine. `no_type_check` keeps the
run-time type checks of the tests out of what the compiler has to understand.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Int8, Int64, Integer, UInt8, UInt16, UInt32
from numba import njit

_BLOCK = 2048


@no_type_check
@njit(cache=True, nogil=True)
def linear_edges(t_us: Int64[np.ndarray, " N"], bins: int) -> Int64[np.ndarray, " E"]:
    """First event of each of `bins` equal parts of the events' own span, then the event count.

    The part of an event is computed in single precision, as the reference does. In windows of up
    to a second that is the same as whole-number arithmetic; in longer ones an event next to a
    border may be on its other side.
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

    Single precision with a correctly rounded logarithm, which puts events into the same parts as
    the reference's.
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
    grid: tuple[int, int, int],
    largest: int,
    image: UInt8[np.ndarray, "2 P H W"],
) -> None:
    """Count events of each polarity and part in `image`.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count.
        grid: Height and width of the sensor, and how often the image halves them, 0 or 1. Events
            outside the sensor are ignored.
        largest: Count to stop at; with 256 or more, counts start again at 0 after 255.
        image: What to add to.
    """
    x, y, polarity = events
    counts = image.reshape(-1)
    cells = np.empty(_BLOCK, np.uint32)
    plane = np.uint32(image.shape[2] * image.shape[3])
    stride = np.uint32(image.shape[1]) * plane
    for part in range(len(edges) - 1):
        origin = np.uint32(part) * plane
        for start in range(edges[part], edges[part + 1], _BLOCK):
            block = slice(start, min(start + _BLOCK, edges[part + 1]))
            num = _locate((x[block], y[block], polarity[block]), grid, stride, cells)
            for i in range(num):
                cell = origin + cells[i]
                counts[cell] += np.uint8(counts[cell] < largest)


@no_type_check
@njit(cache=True, nogil=True)
def add_balances(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    edges: Int64[np.ndarray, " E"],
    grid: tuple[int, int, int],
    balances: Integer[np.ndarray, " C"],
    limits: tuple[int, int],
    image: Int8[np.ndarray, "P H W"],
) -> None:
    """Write rises less falls in each cell up to the end of each part into `image`.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count.
        grid: Height and width of the sensor, and how often the image halves them, 0 or 1. Events
            outside the sensor are ignored.
        balances: Zeros to sum up in, one per cell; sums overflow as numbers of its type do.
        limits: Least and greatest value to write.
        image: What to write to.
    """
    x, y, polarity = events
    cells = np.empty(_BLOCK, np.uint32)
    plane = np.uint32(len(balances))
    for part in range(len(edges) - 1):
        for start in range(edges[part], edges[part + 1], _BLOCK):
            block = slice(start, min(start + _BLOCK, edges[part + 1]))
            num = _locate((x[block], y[block], polarity[block]), grid, plane, cells)
            for i in range(num):
                rose = np.uint32(cells[i] >= plane)
                balances[cells[i] - rose * plane] += 2 * np.int32(rose) - 1
        values = image[part].reshape(-1)
        for cell in range(plane):
            values[cell] = min(max(balances[cell], limits[0]), limits[1])


@no_type_check
@njit(cache=True, nogil=True)
def _share(t_us: Int64[np.ndarray, " N"], event: int) -> float:
    """Place of an event in the span of all, from 0 to 1, in single precision."""
    span_us = max(t_us[-1] - t_us[0], 1)
    return np.float32(np.float32(t_us[event] - t_us[0]) / np.float32(span_us))


@no_type_check
@njit(cache=True, nogil=True)
def _locate(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    grid: tuple[int, int, int],
    stride: int,
    cells: UInt32[np.ndarray, " B"],
) -> int:
    """Fill `cells` with where events fall in an image, rises `stride` after falls; return how many.

    Halving keeps odd rows and columns alone, as nearest-neighbour interpolation does.
    """
    x, y, polarity = events
    height, width, shift = np.uint32(grid[0]), np.uint32(grid[1]), np.uint32(grid[2])
    one = np.uint32(1)
    any_parity = one - shift
    row = width >> shift
    num = np.uint64(0)
    # No branches: what is not kept is overwritten by the next event.
    for i in range(len(x)):
        column, line = np.uint32(x[i]), np.uint32(y[i])
        cells[num] = np.uint32(polarity[i] > 0) * stride + (line >> shift) * row + (column >> shift)
        is_inside = np.uint32(column < width) & np.uint32(line < height)
        num += np.uint64(((column & line & one) | any_parity) & is_inside)
    return np.int64(num)
