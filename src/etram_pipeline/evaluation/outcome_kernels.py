"""Compiled loops that give detections, best first, the labels that they find.

They are compiled once per machine. `no_type_check` hides them from the run-time type checks of the
tests, which Numba cannot compile.
"""

from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64, UInt64
from numba import njit

from etram_pipeline.evaluation.order_kernels import DetectionColumns, best_rows

_NONE = -1
_ONE = np.uint64(1)

LabelColumns = tuple[
    Int64[np.ndarray, " F1"],
    Int64[np.ndarray, " L"],
    Float32[np.ndarray, "L 4"],
    Bool[np.ndarray, "L A"],
]
"""First label of each frame and the number of labels; class, box, and ranges that each label is
out of."""

Room = tuple[Int64[np.ndarray, " N"], Float64[np.ndarray, " N"], UInt64[np.ndarray, " N"]]
"""Labels that a detection overlaps, IoU, and bits of the thresholds reached; rows are reused."""


@no_type_check
@njit(cache=True, nogil=True)
def find_labels(
    detections: DetectionColumns,
    labels: LabelColumns,
    limits: tuple[int, int],
    min_ious: Float64[np.ndarray, " T"],
    by_box: bool,  # noqa: FBT001  # Numba compiles calls by place
) -> tuple[np.ndarray, ...]:
    """Give each detection the free label of its frame and class that it overlaps most.

    A label in the range of areas goes before one that is out of it; of equal overlaps the last
    label wins. Each IoU threshold and each range of areas has an assignment of its own.

    Args:
        detections: Frame, class, box, score and tie breaker of each row.
        labels: First label of each frame; class, box and ranges of each label.
        limits: Number of classes; most detections per frame and class.
        min_ious: At most 64 IoU thresholds, ascending.
        by_box: Whether boxes decide between equal scores, else the order of rows.

    Returns:
        Of each detection: position in frame and class, best first (-1: it does not count), and
        position among those that overlap a label (-1: it overlaps none). Of those that overlap a
        label: by range, bits of the thresholds at which it finds a label in the range, and one out
        of it; label found at the least threshold, in all areas, or -1.

    Source: pycocotools, `COCOeval.evaluateImg`.
    """
    frames, class_ids = detections[:2]
    ranks, candidates = np.full(len(frames), _NONE, np.int32), np.full(len(frames), _NONE, np.int32)
    shape = len(frames), labels[3].shape[1]
    right, ignored = np.empty(shape, np.uint64), np.empty(shape, np.uint64)
    found = np.empty(len(frames), np.int32)
    free = np.full(labels[3].shape, _bits_below(len(min_ious)))
    num_before = np.zeros(limits[0], np.int64)
    room, count = _room(labels[0]), 0
    for first, stop in _rows_of_frames(frames, len(labels[0]) - 1):
        num_before[:] = 0
        for row in best_rows(first, stop, detections, by_box):
            class_id = class_ids[row]
            if num_before[class_id] == limits[1]:
                continue
            ranks[row] = num_before[class_id]
            num_before[class_id] += 1
            number = _overlapping(row, detections, labels, min_ious, room)
            if number:
                bits = right[count], ignored[count]
                found[count] = _take(number, room, labels[3], free, bits)
                candidates[row] = count
                count += 1
    return ranks, candidates, right[:count], ignored[:count], found[:count]


@no_type_check
@njit(cache=True, nogil=True)
def _rows_of_frames(frames: Int64[np.ndarray, " D"], number: int) -> Int64[np.ndarray, "F 2"]:
    """First row of each frame, and the row after the last."""
    rows = np.zeros((number, 2), np.int64)
    for row in range(len(frames)):
        if row == 0 or frames[row] != frames[row - 1]:
            rows[frames[row], 0] = row
        rows[frames[row], 1] = row + 1
    return rows


@no_type_check
@njit(cache=True, nogil=True)
def _bits_below(number: int) -> np.uint64:
    bits = np.uint64(0)
    for _ in range(number):
        bits = (bits << _ONE) | _ONE
    return bits


@no_type_check
@njit(cache=True, nogil=True)
def _room(first_labels: Int64[np.ndarray, " F1"]) -> Room:
    most = 0
    for frame in range(len(first_labels) - 1):
        most = max(most, first_labels[frame + 1] - first_labels[frame])
    return np.empty(most, np.int64), np.empty(most, np.float64), np.empty(most, np.uint64)


@no_type_check
@njit(cache=True, nogil=True)
def _overlapping(
    row: int,
    detections: DetectionColumns,
    labels: LabelColumns,
    min_ious: Float64[np.ndarray, " T"],
    room: Room,
) -> int:
    """Number of labels of its frame and class that a detection overlaps.

    Fills `room` with them, the largest IoU first; of equal ones, the last label first.
    """
    frames, class_ids, boxes = detections[:3]
    starts, label_classes, label_boxes, _ = labels
    near, ious, reached = room
    number = 0
    for label in range(starts[frames[row]], starts[frames[row] + 1]):
        if label_classes[label] != class_ids[row]:
            continue
        iou = _intersection_over_union(boxes, row, label_boxes, label)
        if iou < _reachable(min_ious[0]):
            continue
        free = number
        while free > 0 and ious[free - 1] <= iou:
            near[free], ious[free] = near[free - 1], ious[free - 1]
            free -= 1
        near[free], ious[free] = label, iou
        number += 1
    for place in range(number):
        reached[place] = 0
        for iou in range(len(min_ious)):
            if ious[place] < _reachable(min_ious[iou]):
                break
            reached[place] = (reached[place] << _ONE) | _ONE
    return number


@no_type_check
@njit(cache=True, nogil=True)
def _take(
    number: int,
    room: Room,
    outside: Bool[np.ndarray, "L A"],
    free: UInt64[np.ndarray, "L A"],
    bits: tuple[UInt64[np.ndarray, " A"], UInt64[np.ndarray, " A"]],
) -> int:
    """Take free labels at all thresholds; returns the one at the least, in all areas."""
    right, ignored = bits
    found = _NONE
    right[:], ignored[:] = 0, 0
    for is_outside in (False, True):
        taken = ignored if is_outside else right
        for place in range(number):
            label, reach = room[0][place], room[2][place]
            for size in range(len(right)):
                if outside[label, size] == is_outside:
                    now = reach & free[label, size] & ~(right[size] | ignored[size])
                    taken[size] |= now
                    free[label, size] &= ~now
                    if size == 0 and now & _ONE:
                        found = label
    return found


@no_type_check
@njit(cache=True, nogil=True)
def _reachable(min_iou: float) -> float:
    """COCO's guard against a least overlap of 1, which rounding would make unreachable."""
    return min(min_iou, 1 - 1e-10)


@no_type_check
@njit(cache=True, nogil=True)
def _intersection_over_union(
    boxes: Float32[np.ndarray, "D 4"], row: int, others: Float32[np.ndarray, "L 4"], other: int
) -> float:
    """Intersection over union of two boxes x, y, w, h, in pycocotools' order of operations.

    Source: pycocotools, `maskApi.c`, `bbIou`.
    """
    x1, y1 = np.float64(boxes[row, 0]), np.float64(boxes[row, 1])
    w1, h1 = np.float64(boxes[row, 2]), np.float64(boxes[row, 3])
    x2, y2 = np.float64(others[other, 0]), np.float64(others[other, 1])
    w2, h2 = np.float64(others[other, 2]), np.float64(others[other, 3])
    width = min(x1 + w1, x2 + w2) - max(x1, x2)
    height = min(y1 + h1, y2 + h2) - max(y1, y2)
    if width <= 0 or height <= 0:
        return 0.0
    intersection = width * height
    return intersection / (w1 * h1 + w2 * h2 - intersection)
