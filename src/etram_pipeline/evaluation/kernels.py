"""Compiled loops over detections, best first, for many resamples of the recordings at once.

They release the interpreter's lock and are compiled once per machine. `no_type_check` hides them
from the run-time type checks of the tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Float64, Int32, Int64, UInt
from numba import njit

_EPSILON = np.spacing(1)

Rows = tuple[
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
    UInt[np.ndarray, " D"],
]


@no_type_check
@njit(cache=True, nogil=True)
def count_rows(
    starts: Int64[np.ndarray, " G1"],
    rows: Rows,
    counts: Int64[np.ndarray, "G R T2"],
) -> None:
    """Count the detections of each ranking and recording.

    Args:
        starts: First row of each ranking, then the number of rows.
        rows: Recording of each row, and bits of the IoU thresholds at which it is right and at
            which it does not count; the last column is not read.
        counts: Zeros; filled with the number of rows, then of those that are right at each IoU
            threshold, then of those that do not count.
    """
    recordings, right, uncounted, _ = rows
    num_ious = (counts.shape[2] - 1) // 2
    for ranking in range(counts.shape[0]):
        for row in range(starts[ranking], starts[ranking + 1]):
            of_recording = counts[ranking, recordings[row]]
            of_recording[0] += 1
            right_bits, uncounted_bits = np.uint64(right[row]), np.uint64(uncounted[row])
            if right_bits | uncounted_bits:
                for iou in range(num_ious):
                    bit = np.uint64(iou)
                    of_recording[1 + iou] += np.int64((right_bits >> bit) & np.uint64(1))
                    of_recording[1 + num_ious + iou] += np.int64(
                        (uncounted_bits >> bit) & np.uint64(1)
                    )


@no_type_check
@njit(cache=True, nogil=True)
def add_precision(
    rows: Rows,
    weights: Int32[np.ndarray, "R B"],
    totals: Int64[np.ndarray, "T2 B"],
    num_labels: Int64[np.ndarray, " B"],
    recalls: Float64[np.ndarray, " S"],
    precision: Float64[np.ndarray, "T B"],
) -> None:
    """Add up the precision at all recalls, of one ranking and several resamples.

    The detections are read from the last to the first, so that the largest precision at a recall
    or beyond is known when it is needed, and nothing has to be stored per detection.

    Args:
        rows: Of one ranking, best first: recording of each detection, and bits of the IoU
            thresholds at which it is right and at which it does not count; 1 where it is not told
            apart from the one before, else 0.
        weights: How often each recording is drawn.
        totals: Weight of all rows, then of those right at each IoU threshold, then of those that
            do not count.
        num_labels: Labels to find.
        recalls: Ascending recalls, the first of which is 0.
        precision: Zeros to add to.
    """
    recordings, right, uncounted, tied = rows
    num_ious, num_draws = precision.shape
    counted = totals[0].copy()
    found, missing = totals[1 : num_ious + 1].copy(), totals[num_ious + 1 :].copy()
    needed = needed_labels(num_labels, recalls)
    best = np.zeros((num_ious, num_draws))
    position = reached_recalls(found, needed)
    state = counted, found, missing, best, position, precision
    is_first_passed = False
    for row in range(len(recordings) - 1, -1, -1):
        weight = weights[recordings[row]]
        # Of rows that are not told apart, the last is passed first, when all of them count.
        if tied[row] and not is_first_passed:
            _reach(counted, found, missing, best)
        is_alone = not (tied[row] or is_first_passed)
        is_first_passed = tied[row] == 1
        if right[row]:
            _pass_right(np.uint64(right[row]), weight, needed, state, is_alone)
        if uncounted[row]:
            _pass_uncounted(np.uint64(uncounted[row]), weight, missing)
        for draw in range(num_draws):
            counted[draw] -= weight[draw]
    # Recall 0 is reached by the first right detection, at the largest precision of all.
    precision += best


@no_type_check
@njit(cache=True, nogil=True)
def _pass_right(
    bits: int,
    weight: Int32[np.ndarray, " B"],
    needed: Int64[np.ndarray, "S B"],
    state: tuple[Int64[np.ndarray, " B"], ...],
    is_alone: bool,  # noqa: FBT001  # Numba compiles calls by place
) -> None:
    """Take a right detection away, and add the precision of the recalls that are lost with it."""
    counted, found, missing, best, position, precision = state
    for iou in range(found.shape[0]):
        if not (bits >> np.uint64(iou)) & np.uint64(1):
            continue
        for draw in range(len(weight)):
            if not weight[draw]:
                continue
            num_right = found[iou, draw]
            num_counted = counted[draw] - missing[iou, draw]
            # A product is faster than the quotient, which is larger at few detections only.
            if is_alone and num_right > best[iou, draw] * num_counted:
                best[iou, draw] = num_right / (num_counted + _EPSILON)
            num_right -= weight[draw]
            found[iou, draw] = num_right
            while needed[position[iou, draw], draw] > num_right:
                precision[iou, draw] += best[iou, draw]
                position[iou, draw] -= 1


@no_type_check
@njit(cache=True, nogil=True)
def _reach(
    counted: Int64[np.ndarray, " B"],
    found: Int64[np.ndarray, "T B"],
    missing: Int64[np.ndarray, "T B"],
    best: Float64[np.ndarray, "T B"],
) -> None:
    """Look at the precision of all detections that are not yet taken away."""
    for iou in range(found.shape[0]):
        for draw in range(found.shape[1]):
            num_counted = counted[draw] - missing[iou, draw]
            if found[iou, draw] > best[iou, draw] * num_counted:
                best[iou, draw] = found[iou, draw] / (num_counted + _EPSILON)


@no_type_check
@njit(cache=True, nogil=True)
def _pass_uncounted(
    bits: int, weight: Int32[np.ndarray, " B"], missing: Int64[np.ndarray, "T B"]
) -> None:
    for iou in range(missing.shape[0]):
        if (bits >> np.uint64(iou)) & np.uint64(1):
            for draw in range(len(weight)):
                missing[iou, draw] -= weight[draw]


@no_type_check
@njit(cache=True, nogil=True)
def needed_labels(
    num_labels: Int64[np.ndarray, " B"], recalls: Float64[np.ndarray, " S"]
) -> Int64[np.ndarray, "S B"]:
    """Least number of right detections that reaches each recall, in floating-point division."""
    needed = np.zeros((len(recalls), len(num_labels)), np.int64)
    for draw in range(len(num_labels)):
        labels = max(num_labels[draw], 1)
        for step in range(1, len(recalls)):
            number = np.int64(np.ceil(recalls[step] * labels))
            while number / labels < recalls[step]:
                number += 1
            while (number - 1) / labels >= recalls[step]:
                number -= 1
            needed[step, draw] = number
    return needed


@no_type_check
@njit(cache=True, nogil=True)
def reached_recalls(
    found: Int64[np.ndarray, "T B"], needed: Int64[np.ndarray, "S B"]
) -> Int64[np.ndarray, "T B"]:
    """Position of the largest recall that all right detections together reach."""
    position = np.full(found.shape, len(needed) - 1)
    for iou in range(found.shape[0]):
        for draw in range(found.shape[1]):
            while needed[position[iou, draw], draw] > found[iou, draw]:
                position[iou, draw] -= 1
    return position
