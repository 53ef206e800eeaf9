"""Compiled sorts of detections, best first.

They are compiled once per machine. `no_type_check` hides them from the run-time type checks of the
tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float32, Float64, Int32, Int64, UInt64
from numba import njit

_ONE = np.uint64(1)
_DIGIT_BITS = 11
_NUM_DIGITS = 6

DetectionColumns = tuple[
    Int64[np.ndarray, " D"],
    Int64[np.ndarray, " D"],
    Float32[np.ndarray, "D 4"],
    Float64[np.ndarray, " D"],
    Int64[np.ndarray, " D"],
]
"""Frame, class, box and score of each detection, and what decides between equal boxes of equal
scores; frames ascend."""


@no_type_check
@njit(cache=True, nogil=True)
def order_descending(values: Float64[np.ndarray, " D"]) -> Int32[np.ndarray, " D"]:
    """Positions of the values from the largest to the smallest; equal ones in their order.

    A radix sort of the bits, which takes no pass for digits that all values share, such as the
    last ones of single precision.
    """
    keys = _descending_keys(values)
    mask = (_ONE << np.uint64(_DIGIT_BITS)) - _ONE
    order, next_order = np.arange(len(keys)).astype(np.int32), np.empty(len(keys), np.int32)
    next_keys = np.empty_like(keys)
    for digit in range(_NUM_DIGITS):
        shift = np.uint64(digit * _DIGIT_BITS)
        counts = np.zeros(1 << _DIGIT_BITS, np.int64)
        for key in keys:
            counts[(key >> shift) & mask] += 1
        if counts.max() == len(keys):
            continue
        places = np.cumsum(counts) - counts
        for row in range(len(keys)):
            value = (keys[row] >> shift) & mask
            place = places[value]
            places[value] += 1
            next_keys[place], next_order[place] = keys[row], order[row]
        keys, next_keys, order, next_order = next_keys, keys, next_order, order
    return order


@no_type_check
@njit(cache=True, nogil=True)
def _descending_keys(values: Float64[np.ndarray, " D"]) -> UInt64[np.ndarray, " D"]:
    """Whole numbers that ascend as the values descend."""
    sign = _ONE << np.uint64(63)
    # Minus zero is made zero, so that equal values have equal bits.
    keys = (values + 0.0).view(np.uint64)
    for row in range(len(keys)):
        if not keys[row] & sign:
            keys[row] = ~(keys[row] | sign)
    return keys


@no_type_check
@njit(cache=True, nogil=True)
def best_rows(
    first: int,
    stop: int,
    detections: DetectionColumns,
    by_box: bool,  # noqa: FBT001  # Numba compiles calls by place
) -> Int64[np.ndarray, " N"]:
    """The rows of a frame from the highest score to the lowest; a merge sort."""
    rows = np.arange(first, stop)
    merged = np.empty_like(rows)
    width = 1
    while width < len(rows):
        for start in range(0, len(rows), 2 * width):
            left, middle = start, min(start + width, len(rows))
            right, end = middle, min(start + 2 * width, len(rows))
            for place in range(start, end):
                if left < middle and (
                    right == end or not _is_before(rows[right], rows[left], detections, by_box)
                ):
                    merged[place] = rows[left]
                    left += 1
                else:
                    merged[place] = rows[right]
                    right += 1
        rows, merged = merged, rows
        width *= 2
    return rows


@no_type_check
@njit(cache=True, nogil=True)
def _is_before(
    row: int,
    other: int,
    detections: DetectionColumns,
    by_box: bool,  # noqa: FBT001  # Numba compiles calls by place
) -> bool:
    _, _, boxes, scores, breakers = detections
    if scores[row] != scores[other]:
        return scores[row] > scores[other]
    if not by_box:
        return False
    for side in range(4):
        if boxes[row, side] != boxes[other, side]:
            return boxes[row, side] < boxes[other, side]
    return breakers[row] < breakers[other]
