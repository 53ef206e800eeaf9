"""Compiled loops from right and wrong detections, best first, to precision and recall.

They are compiled once per machine. `no_type_check` hides them from the run-time type checks of the
tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt64
from numba import njit

from etram_pipeline.evaluation.kernels import needed_labels, reached_recalls

_EPSILON = np.spacing(1)
_ONE = np.uint64(1)

Columns = tuple[
    Int64[np.ndarray, " D"],
    Int64[np.ndarray, " D"],
    Int32[np.ndarray, " D"],
    Int32[np.ndarray, " D"],
    Bool[np.ndarray, "D A"],
]
"""Class, step, rank and candidate of each detection, and ranges of areas that it is out of.

Detections of one class and one step are not told apart: the curve of the class has one point for
them. Steps ascend."""

Bits = tuple[UInt64[np.ndarray, "C A"], UInt64[np.ndarray, "C A"]]
"""Of the candidates, by range of areas: bits of the IoU thresholds at which a candidate finds a
label in the range, which makes it right, and one out of the range, so that it does not count."""

Counts = tuple[Int64[np.ndarray, "K A"], Int64[np.ndarray, "K A T"], Int64[np.ndarray, "K A T"]]
"""Detections in a range of areas, as far as passed; how many of these do not count; right ones."""


@no_type_check
@njit(cache=True, nogil=True)
def trace_curves(
    wanted: Bool[np.ndarray, " D"],
    columns: Columns,
    bits: Bits,
    num_labels: Int64[np.ndarray, "K A"],
    goals: tuple[Float64[np.ndarray, " R"], Int64[np.ndarray, " M"]],
    found: Int64[np.ndarray, "T K A M"],
) -> Float64[np.ndarray, "T R K A"]:
    """Precision at each recall; 0 where that recall is not reached.

    Args:
        wanted: Detections that count.
        columns: What is known of all detections, best first.
        bits: Where candidates find labels.
        num_labels: Labels to find.
        goals: Ascending recalls, the first of which is 0, and numbers of detections per frame and
            class.
        found: Zeros; filled with the number of labels found up to each of these numbers.
    """
    recalls, limits = goals
    num_ious, num_classes, num_areas, _ = found.shape
    shape = num_classes, num_areas, num_ious
    counts = np.zeros(shape[:2], np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
    is_tied = np.zeros(len(wanted), np.bool_)
    step_of_class = np.full(num_classes, -1)
    for row in np.flatnonzero(wanted):
        class_id = columns[0][row]
        is_tied[row] = step_of_class[class_id] == columns[1][row]
        step_of_class[class_id] = columns[1][row]
        _pass(row, 1, columns, bits, counts)
        if columns[3][row] >= 0:
            _count_found(bits[0][columns[3][row]], columns[2][row], limits, found[:, class_id])
    precision = np.zeros((num_ious, len(recalls), num_classes, num_areas))
    _read_back((wanted, is_tied), columns, bits, counts, (num_labels, recalls), precision)
    return precision


@no_type_check
@njit(cache=True, nogil=True)
def _read_back(
    rows: tuple[Bool[np.ndarray, " D"], Bool[np.ndarray, " D"]],
    columns: Columns,
    bits: Bits,
    counts: Counts,
    goal: tuple[Int64[np.ndarray, "K A"], Float64[np.ndarray, " R"]],
    precision: Float64[np.ndarray, "T R K A"],
) -> None:
    """Take the detections away from the last to the first, and fill in the precision.

    In this order the largest precision at a recall or beyond is known when it is needed, and
    nothing has to be stored per detection.
    """
    wanted, is_tied = rows
    num_labels, recalls = goal
    shape, right = counts[2].shape, counts[2]
    needed = needed_labels(num_labels.copy().ravel(), recalls)
    reached = reached_recalls(right.copy().reshape(-1, shape[2]).T, needed)
    position = reached.T.copy().reshape(shape)
    needed = needed.T.copy().reshape(shape[0], shape[1], len(recalls))
    best = np.zeros(shape)
    step_of_class = np.full(shape[0], -1)
    for row in np.flatnonzero(wanted)[::-1]:
        class_id, step, candidate = columns[0][row], columns[1][row], columns[3][row]
        is_last = step_of_class[class_id] != step
        step_of_class[class_id] = step
        if is_last and (is_tied[row] or (candidate >= 0 and bits[0][candidate].any())):
            _reach(class_id, counts, best)
        _pass(row, -1, columns, bits, counts)
        if candidate >= 0:
            state = right[class_id], needed[class_id], position[class_id], best[class_id]
            _leave(bits[0][candidate], state, precision[:, :, class_id])
    for iou in range(shape[2]):
        # Recall 0 is reached by the first right detection, at the largest precision of all.
        precision[iou, 0] = best[:, :, iou]


@no_type_check
@njit(cache=True, nogil=True)
def _pass(row: int, step: int, columns: Columns, bits: Bits, counts: Counts) -> None:
    """Add a detection to the counts, or take it away."""
    class_id, candidate, outside = columns[0][row], columns[3][row], columns[4]
    counted, missing, right = counts
    for area in range(outside.shape[1]):
        if not outside[row, area]:
            counted[class_id, area] += step
    if candidate < 0:
        return
    for area in range(outside.shape[1]):
        _add(step, bits[0][candidate, area], right[class_id, area])
        # Out of the range, a detection counts where it is right; in it, but where it is ignored.
        if outside[row, area]:
            _add(-step, bits[0][candidate, area], missing[class_id, area])
        else:
            _add(step, bits[1][candidate, area], missing[class_id, area])


@no_type_check
@njit(cache=True, nogil=True)
def _add(step: int, bits: int, numbers: Int64[np.ndarray, " T"]) -> None:
    """Add to the numbers whose bit is set."""
    iou = 0
    while bits:
        if bits & _ONE:
            numbers[iou] += step
        bits, iou = bits >> _ONE, iou + 1


@no_type_check
@njit(cache=True, nogil=True)
def _count_found(
    hits_of_area: UInt64[np.ndarray, " A"],
    rank: int,
    limits: Int64[np.ndarray, " M"],
    found: Int64[np.ndarray, "T A M"],
) -> None:
    for area in range(len(hits_of_area)):
        hits, iou = hits_of_area[area], 0
        while hits:
            if hits & _ONE:
                for limit in range(len(limits)):
                    found[iou, area, limit] += rank < limits[limit]
            hits, iou = hits >> _ONE, iou + 1


@no_type_check
@njit(cache=True, nogil=True)
def _reach(class_id: int, counts: Counts, best: Float64[np.ndarray, "K A T"]) -> None:
    """Look at the precision of all detections of a class that are not yet taken away."""
    counted, missing, right = counts
    for area in range(right.shape[1]):
        for iou in range(right.shape[2]):
            num_counted = counted[class_id, area] - missing[class_id, area, iou]
            # A product is faster than the quotient, which is seldom needed.
            if right[class_id, area, iou] > best[class_id, area, iou] * num_counted:
                precision = right[class_id, area, iou] / (num_counted + _EPSILON)
                best[class_id, area, iou] = precision


@no_type_check
@njit(cache=True, nogil=True)
def _leave(
    hits_of_area: UInt64[np.ndarray, " A"],
    state: tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray],
    precision: Float64[np.ndarray, "T R A"],
) -> None:
    """Fill in the precision of the recalls that are lost with a right detection."""
    right, needed, position, best = state
    for area in range(len(hits_of_area)):
        hits, iou = hits_of_area[area], 0
        while hits:
            if hits & _ONE:
                while needed[area, position[area, iou]] > right[area, iou]:
                    precision[iou, position[area, iou], area] = best[area, iou]
                    position[area, iou] -= 1
            hits, iou = hits >> _ONE, iou + 1
