"""Which detection finds which label: overlaps, and COCO's greedy assignment."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64

from etram_pipeline.evaluation.matching import FrameBoxes, concatenated_ranges

UNASSIGNED = -1

_PAIRS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Overlaps:
    """Pairs of a detection and a label of one group that overlap.

    Attributes:
        detections: Row of each pair's detection; ascending.
        labels: Row of each pair's label; ascending for one detection.
        ious: Intersection over union.
    """

    detections: Int64[np.ndarray, " P"]
    labels: Int64[np.ndarray, " P"]
    ious: Float64[np.ndarray, " P"]

    def take(self, rows: Int64[np.ndarray, " M"] | Bool[np.ndarray, " P"]) -> "Overlaps":
        """The pairs at `rows`."""
        return Overlaps(self.detections[rows], self.labels[rows], self.ious[rows])


def find_overlaps(
    labels: FrameBoxes,
    detections: FrameBoxes,
    label_groups: Int64[np.ndarray, " L"],
    detection_groups: Int64[np.ndarray, " D"],
    min_iou: float,
) -> Overlaps:
    """All pairs of one group, such as a frame or a class in it, that overlap enough.

    Memory grows with what overlaps, not with what is compared.
    """
    order = np.argsort(label_groups, kind="stable")
    sorted_groups = label_groups[order]
    first = np.searchsorted(sorted_groups, detection_groups, side="left")
    counts = np.searchsorted(sorted_groups, detection_groups, side="right") - first
    parts = []
    for rows in _chunks(counts):
        pair_labels = order[concatenated_ranges(first[rows], counts[rows])]
        pairs = Overlaps(
            np.repeat(np.arange(rows.start, rows.stop), counts[rows]),
            pair_labels,
            np.empty(len(pair_labels)),
        )
        pairs.ious[:] = _ious(labels, detections, pairs)
        parts.append(pairs.take(pairs.ious >= min_iou))
    return Overlaps(
        np.concatenate([part.detections for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.ious for part in parts]),
    )


def assign(
    overlaps: Overlaps,
    detection_groups: Int64[np.ndarray, " D"],
    min_ious: Float64[np.ndarray, " T"],
    ignored: Bool[np.ndarray, "A L"],
) -> tuple[Int64[np.ndarray, " C"], Int32[np.ndarray, "A T C"]]:
    """Give each detection, best first, the free label of its group it overlaps most.

    A label that is not ignored goes before one that is; of equal overlaps the last wins.

    Args:
        overlaps: Of detections whose rows are in order of groups, then best first.
        detection_groups: Group of each detection; ascending.
        min_ious: Least overlaps, each of which gives an assignment of its own.
        ignored: Labels ignored, each row of which gives an assignment of its own.

    Returns:
        Rows of the detections that overlap any label, ascending; and the label each is given by
        set of ignored labels and least overlap, `UNASSIGNED` if none.

    Source: pycocotools, `COCOeval.evaluateImg`.
    """
    starts = _starts(overlaps.detections)
    candidates = overlaps.detections[starts]
    candidate_of_pair = np.repeat(
        np.arange(len(candidates)), np.diff(starts, append=len(overlaps.detections))
    )
    given = np.full((len(ignored), len(min_ious), len(candidates)), UNASSIGNED, np.int32)
    free = np.ones((len(ignored), len(min_ious), ignored.shape[1]), bool)
    # Detections of different groups do not compete: the first of every group choose together,
    # then the second of every group, and so on.
    turn_of_pair = _turns(detection_groups[candidates])[candidate_of_pair]
    for pairs in _equal_runs(turn_of_pair):
        labels = overlaps.labels[pairs]
        starts = _starts(candidate_of_pair[pairs])
        chosen = _choose(
            overlaps.ious[pairs],
            starts,
            free[:, :, labels] & (overlaps.ious[pairs] >= _reachable(min_ious)[:, None]),
            ignored[:, None, labels],
        )
        area, threshold, position = np.nonzero(chosen != UNASSIGNED)
        taken = labels[chosen[area, threshold, position]]
        free[area, threshold, taken] = False
        given[area, threshold, candidate_of_pair[pairs][starts[position]]] = taken
    return candidates, given


def _choose(
    ious: Float64[np.ndarray, " P"],
    starts: Int64[np.ndarray, " C"],
    allowed: Bool[np.ndarray, "A T P"],
    ignored: Bool[np.ndarray, "A 1 P"],
) -> Int64[np.ndarray, "A T C"]:
    """Position of the pair each detection chooses; its pairs run from one start to the next."""
    lengths = np.diff(starts, append=len(ious))
    counted = allowed & ~ignored
    has_counted = np.logical_or.reduceat(counted, starts, axis=2)
    allowed = np.where(np.repeat(has_counted, lengths, axis=2), counted, allowed)
    best = np.maximum.reduceat(np.where(allowed, ious, -1.0), starts, axis=2)
    is_best = allowed & (ious == np.repeat(best, lengths, axis=2))
    positions = np.where(is_best, np.arange(len(ious)), UNASSIGNED)
    chosen: Int64[np.ndarray, "A T C"] = np.maximum.reduceat(positions, starts, axis=2)
    return chosen


def _reachable(min_ious: Float64[np.ndarray, " T"]) -> Float64[np.ndarray, " T"]:
    # COCO's guard against a least overlap of 1, which rounding would make unreachable.
    return min_ious.clip(max=1 - 1e-10)


def _turns(groups: Int64[np.ndarray, " C"]) -> Int64[np.ndarray, " C"]:
    """Position of each element in its run of equal groups."""
    turns: Int64[np.ndarray, " C"] = np.arange(len(groups)) - np.searchsorted(groups, groups)
    return turns


def _equal_runs(turns: Int64[np.ndarray, " P"]) -> Iterator[Int64[np.ndarray, " M"]]:
    """Positions of all elements of turn 0, then of turn 1, … each in order."""
    order = np.argsort(turns, kind="stable")
    bounds = [*_starts(turns[order]).tolist(), len(turns)]
    return (order[start:stop] for start, stop in pairwise(bounds))


def _starts(sorted_values: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " M"]:
    """Where a new value begins."""
    return np.flatnonzero(np.diff(sorted_values, prepend=UNASSIGNED - 1))


def _chunks(counts: Int64[np.ndarray, " D"]) -> Iterator[slice]:
    """Slices of rows that make at most about `_PAIRS_AT_ONCE` pairs each; at least one slice."""
    chunk_of_row = np.cumsum(counts) // _PAIRS_AT_ONCE
    bounds = [0, *(np.flatnonzero(np.diff(chunk_of_row)) + 1).tolist(), len(counts)]
    return (slice(start, stop) for start, stop in pairwise(bounds))


def _ious(labels: FrameBoxes, detections: FrameBoxes, pairs: Overlaps) -> Float64[np.ndarray, " P"]:
    """Intersection over union in double precision, in pycocotools' order of operations.

    Source: pycocotools, `maskApi.c`, `bbIou`.
    """
    x1, y1, w1, h1 = detections.boxes_xywh[pairs.detections].T.astype(np.float64)
    x2, y2, w2, h2 = labels.boxes_xywh[pairs.labels].T.astype(np.float64)
    width = np.minimum(x1 + w1, x2 + w2) - np.maximum(x1, x2)
    height = np.minimum(y1 + h1, y2 + h2) - np.maximum(y1, y2)
    intersection = width.clip(0) * height.clip(0)
    union = w1 * h1 + w2 * h2 - intersection
    ious = np.zeros(len(union))
    np.divide(intersection, union, out=ious, where=intersection > 0)
    return ious
