"""Compiled loops over events for representations of when or in which order they happened."""

from typing import no_type_check

import numpy as np
from jaxtyping import Int8, Int64, UInt8, UInt16, UInt32
from numba import njit

from etram_pipeline.events.kernels import locate


@no_type_check
@njit(cache=True, nogil=True)
def write_last_signs(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    edges: Int64[np.ndarray, " E"],
    grid: tuple[int, int, int, int],
    image: Int8[np.ndarray, "P H W"],
    touched: UInt32[np.ndarray, " K"],
) -> int:
    """Write 1 or -1, for a rise or a fall, where the last event of a cell and part was one.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count.
        grid: See `locate`.
        image: Zeros to write to.
        touched: Filled with the cells that were written, as by `add_counts`.

    Returns:
        Number of entries of `touched` that were filled.
    """
    signs = image.reshape(-1)
    plane = np.uint32(image.shape[1] * image.shape[2])
    num = np.uint64(0)
    for part in range(len(edges) - 1):
        first, origin = num, np.uint32(part) * plane
        span = edges[part], edges[part + 1]
        num = locate(events, span, grid, (np.uint32(0), plane), touched, num)
        for entry in range(first, num):
            rose = np.uint32(touched[entry] >= plane)
            cell = origin + touched[entry] - rose * plane
            touched[entry] = cell
            signs[cell] = 2 * np.int32(rose) - 1
    return np.int64(num)


@no_type_check
@njit(cache=True, nogil=True)
def write_levels(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    edges: Int64[np.ndarray, " E"],
    grid: tuple[int, int, int, int],
    image: UInt8[np.ndarray, "2 H W"],
    touched: UInt32[np.ndarray, " K"],
) -> int:
    """Write the part of the last event of each cell and polarity, counted from 1.

    Args:
        events: Columns, rows and polarities.
        edges: First event of each part, then the event count; earlier events are left out.
        grid: See `locate`.
        image: Zeros to write to.
        touched: Filled with the cells that were written, as by `add_counts`.

    Returns:
        Number of entries of `touched` that were filled.
    """
    levels = image.reshape(-1)
    plane = np.uint32(image.shape[1] * image.shape[2])
    num = np.uint64(0)
    for part in range(len(edges) - 1):
        span = edges[part], edges[part + 1]
        if span[0] == span[1]:
            continue
        first = num
        num = locate(events, span, grid, (np.uint32(0), plane), touched, num)
        for entry in range(first, num):
            levels[touched[entry]] = part + 1
    return np.int64(num)


@no_type_check
@njit(cache=True, nogil=True)
def add_shares(
    events: tuple[UInt16[np.ndarray, " N"], UInt16[np.ndarray, " N"], UInt8[np.ndarray, " N"]],
    t_us: Int64[np.ndarray, " N"],
    grid: tuple[int, int, int, int],
    steps_per_event: int,
    image: Int8[np.ndarray, "P H W"],
    cells: UInt32[np.ndarray, " K"],
) -> int:
    """Write sums of polarities, each shared between the two moments next to its event.

    Args:
        events: Columns, rows and polarities; at least one event.
        t_us: Their times, ascending.
        grid: See `locate`.
        steps_per_event: Value of an event at a moment.
        image: Zeros to write to, one channel per moment; the first and the last moment are those
            of the first and the last event.
        cells: Room for three times as many entries as events; the first are filled with the cells
            that were written.

    Returns:
        Number of cells that were written.
    """
    x, y, polarity = events
    height, width, shift = np.uint32(grid[0]), np.uint32(grid[1]), np.uint32(grid[2])
    any_parity, one = np.uint32(grid[3]), np.uint32(1)
    row, plane = width >> shift, image.shape[1] * image.shape[2]
    span_us = max(t_us[-1] - t_us[0], 1)
    # Sums of whole microseconds, which are exact: at this moment, and at the next one.
    sums = np.zeros((plane, 2), np.int64)
    written, located = cells[: 2 * len(x)], cells[2 * len(x) :]
    num_written, num_located, before, event = 0, 0, 0, 0
    for moment in range(len(image)):
        now, first = moment & 1, num_located
        while event < len(x):
            late_us = (len(image) - 1) * (t_us[event] - t_us[0]) - moment * span_us
            if late_us >= span_us:
                break
            column, line = np.uint32(x[event]), np.uint32(y[event])
            sign = 1 if polarity[event] > 0 else -1
            event += 1
            if (column < width) & (line < height) & (((column & line & one) | any_parity) > 0):
                cell = (line >> shift) * row + (column >> shift)
                located[num_located] = cell
                num_located += 1
                sums[cell, now] += sign * (span_us - late_us)
                sums[cell, 1 - now] += sign * late_us
        reached = located[before:num_located]
        scale, rest = (steps_per_event, span_us), written[num_written:]
        num_written += _write_steps(sums[:, now], reached, scale, image, moment * plane, rest)
        before = first
    return num_written


@no_type_check
@njit(cache=True, nogil=True)
def _write_steps(
    sums: Int64[np.ndarray, " C"],
    cells: UInt32[np.ndarray, " K"],
    scale: tuple[int, int],
    image: Int8[np.ndarray, "P H W"],
    origin: int,
    written: UInt32[np.ndarray, " K"],
) -> int:
    """Move the sums of `cells` to the image, where `origin` is the first cell of their channel.

    Args:
        sums: Sums of whole microseconds; zero on return at `cells`.
        cells: Cells in any order, with repetitions.
        scale: Steps per event, and microseconds per event.
        image: Image to write to.
        origin: Cell of the image that the first sum belongs to.
        written: Filled with the cells of the image that are not zero.

    Returns:
        Number of entries of `written` that were filled.
    """
    values, num = image.reshape(-1), 0
    for entry in range(len(cells)):
        cell = cells[entry]
        steps = _steps(sums[cell], scale[0], scale[1])
        sums[cell] = 0
        if steps:
            values[origin + cell] = steps
            written[num] = origin + cell
            num += 1
    return num


@no_type_check
@njit(cache=True, nogil=True)
def _steps(total_us: int, steps_per_event: int, span_us: int) -> int:
    """A sum in steps, rounded to the nearest one, halves away from zero; at most 127 of them."""
    doubled, step = 2 * abs(total_us) * steps_per_event + span_us, 2 * span_us
    if doubled >= 127 * step:
        steps = 127
    else:
        # The quotient of floats, corrected, is faster than that of whole numbers.
        steps = np.int64(doubled / np.float64(step))
        rest = doubled - steps * step
        steps += np.int64(rest >= step) - np.int64(rest < 0)
    return steps if total_us > 0 else -steps
