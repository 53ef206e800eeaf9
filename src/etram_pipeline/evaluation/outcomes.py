"""Which detection finds which label, and what became of all detections."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int32, Int64, UInt64

from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.protocol import Protocol

MOST_IOUS = 64
"""Most IoU thresholds that are matched at once; each takes a bit."""

_ALL_AREAS = (0.0, 1e5**2)


@dataclass(frozen=True)
class Matched:
    """What became of the detections of all classes, best first, in every range of areas.

    Ranges of areas are all areas, then those of the protocol. A detection that finds a label out
    of the range is neither right nor wrong: it does not count. Neither does one that finds nothing
    and is itself out of the range.

    Attributes:
        min_ious: IoU thresholds; at most `MOST_IOUS`.
        rows: Row of each detection, best first, among the detections matched.
        ranks: Position of each detection in its frame and class.
        candidates: Position of each detection among those that overlap a label; -1: it overlaps
            none.
        outside: Ranges that the area of each detection is out of.
        right: Bits of the thresholds at which each candidate is right; the least is the lowest bit.
        ignored: Bits of the thresholds at which each candidate finds a label out of the range.
        first_label: Label that each candidate is given at the least threshold in all areas; -1 if
            none.
        frames: Frame of each detection.
        class_ids: Class of each detection.
        steps: Numbers that ascend; detections of one class and one number are not told apart.
        counted_labels: Which labels are to be found, in each range.
    """

    min_ious: tuple[float, ...]
    rows: Int64[np.ndarray, " D"]
    ranks: Int32[np.ndarray, " D"]
    candidates: Int32[np.ndarray, " D"]
    outside: Bool[np.ndarray, "D A"]
    right: UInt64[np.ndarray, "C A"]
    ignored: UInt64[np.ndarray, "C A"]
    first_label: Int32[np.ndarray, " C"]
    frames: Int64[np.ndarray, " D"]
    class_ids: Int64[np.ndarray, " D"]
    steps: Int64[np.ndarray, " D"]
    counted_labels: Bool[np.ndarray, "L A"]

    @property
    def every(self) -> np.uint64:
        """Bits of all thresholds."""
        return np.uint64(2 ** len(self.min_ious) - 1)

    def bits_of(
        self, places: Int64[np.ndarray, " N"], area: int
    ) -> tuple[UInt64[np.ndarray, " N"], UInt64[np.ndarray, " N"]]:
        """Bits of the thresholds at which some detections are right, and do not count."""
        # Those without a label have the bits of position -1: none.
        candidates = self.candidates[places]
        right = np.append(self.right[:, area], np.uint64(0))[candidates]
        ignored = np.append(self.ignored[:, area], np.uint64(0))[candidates]
        outside = np.where(self.outside[places, area], self.every, np.uint64(0))
        return right, ignored | (outside & ~right)

    def is_right(self, iou: int = 0) -> Bool[np.ndarray, " D"]:
        """Whether each detection finds a label at one of the thresholds, in all areas."""
        is_candidate = self.candidates >= 0
        bit = self.right[self.candidates[is_candidate], 0] >> np.uint64(iou) & np.uint64(1)
        is_right = np.zeros(len(self.rows), bool)
        is_right[is_candidate] = bit.astype(bool)
        return is_right


@dataclass(frozen=True)
class Compared:
    """Labels and detections, and what became of them.

    Attributes:
        frames: The labels and detections; class ids are positions among the `num_classes`.
        num_classes: Number of classes.
        protocol: How they were compared.
        parts: What became of the detections at the first `MOST_IOUS` IoU thresholds, at the next,
            and so on.
        wanted: Frames that count; None: all.
    """

    frames: Frames
    num_classes: int
    protocol: Protocol
    parts: tuple[Matched, ...]
    wanted: Bool[np.ndarray, " F"] | None = None


Match = Callable[[Frames, int, Protocol], tuple[Matched, ...]]
"""Compares labels and detections of a number of classes."""


def match_classes(frames: Frames, num_classes: int, protocol: Protocol) -> tuple[Matched, ...]:
    """Boxes compared at all IoU thresholds, `MOST_IOUS` of them at once."""
    ious = protocol.iou_thresholds
    return tuple(
        match_boxes(frames, num_classes, protocol, ious[start : start + MOST_IOUS])
        for start in range(0, len(ious), MOST_IOUS)
    )


def match_boxes(
    frames: Frames,
    num_classes: int,
    protocol: Protocol,
    min_ious: tuple[float, ...],
    breakers: Int64[np.ndarray, " D"] | None = None,
) -> Matched:
    """Give each detection, best first, the free label of its frame and class it overlaps most.

    A label in the range of areas goes before one that is out of it; of equal overlaps the last
    label wins.

    Args:
        frames: Labels and detections; class ids are positions among the `num_classes` that count.
        num_classes: Number of classes.
        protocol: Says how to order detections, how many count, and which areas.
        min_ious: IoU thresholds, each of which gives an assignment of its own.
        breakers: What orders detections that are equal in all else, where equal scores are counted
            together; None: their classes.

    Source: pycocotools, `COCOeval.evaluateImg`.
    """
    from etram_pipeline.evaluation.order_kernels import order_descending
    from etram_pipeline.evaluation.outcome_kernels import find_labels

    detections, outside = frames.detections, outside_ranges(frames.labels, protocol)
    breakers = detections.class_ids if breakers is None else breakers
    ranks, candidates, right, ignored, first_label = find_labels(
        (
            detections.frames,
            detections.class_ids,
            detections.boxes_xywh,
            detections.scores,
            breakers,
        ),
        _label_columns(frames, outside),
        (num_classes, protocol.max_detections[-1]),
        np.array(min_ious),
        protocol.ties == "together",
    )
    rows = order_descending(detections.scores).astype(np.int64)
    rows = rows if ranks.min(initial=0) == 0 else rows[ranks[rows] >= 0]
    candidates = candidates[rows]
    is_candidate = candidates >= 0
    near = candidates[is_candidate]
    candidates[is_candidate] = np.arange(len(near))
    return Matched(
        min_ious=min_ious,
        rows=rows,
        ranks=ranks[rows],
        candidates=candidates,
        outside=outside_ranges(detections, protocol)[rows],
        right=right[near],
        ignored=ignored[near],
        first_label=first_label[near],
        frames=detections.frames[rows],
        class_ids=detections.class_ids[rows],
        steps=steps_of(detections.scores[rows], protocol),
        counted_labels=~outside,
    )


def _label_columns(
    frames: Frames, outside: Bool[np.ndarray, "L A"]
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """First label of each frame and their number; classes, boxes, and ranges they are out of."""
    labels = frames.labels
    first = np.searchsorted(labels.frames, np.arange(len(frames) + 1))
    return first, labels.class_ids, labels.boxes_xywh, outside


def steps_of(scores: Float64[np.ndarray, " D"], protocol: Protocol) -> Int64[np.ndarray, " D"]:
    """Numbers that ascend, the same for detections that the protocol does not tell apart.

    Args:
        scores: Scores of detections; descending.
        protocol: Says whether detections of equal score are told apart.
    """
    if protocol.ties == "rows":
        return np.arange(len(scores))
    return np.cumsum(np.diff(scores, prepend=np.inf) != 0)


def area_bounds(protocol: Protocol) -> list[tuple[float, float]]:
    """Least and largest area of every range, that of all areas first."""
    return [_ALL_AREAS, *protocol.area_ranges.values()]


def outside_ranges(boxes: FrameBoxes, protocol: Protocol) -> Bool[np.ndarray, "N A"]:
    """Which ranges of `area_bounds` each box is out of."""
    low, high = np.array(area_bounds(protocol)).T
    areas = boxes.areas.astype(np.float64)[:, None]
    outside: Bool[np.ndarray, "N A"] = (areas < low) | (areas > high)
    return outside
