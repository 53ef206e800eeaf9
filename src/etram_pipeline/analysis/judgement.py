"""What is wrong with each detection, and which labels are missed: the kinds of TIDE.

Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020,
section 2.2; where kinds overlap, the order is that of its code (tidecv 1.0.1).
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float64, Int8, Int64

from etram_pipeline.evaluation.assignment import UNASSIGNED, Overlaps, assign, find_overlaps
from etram_pipeline.evaluation.curves import best_first
from etram_pipeline.evaluation.matching import FrameBoxes, Frames
from etram_pipeline.evaluation.protocol import Protocol

Kind = Literal["class", "location", "both", "duplicate", "background", "missed"]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""What can be wrong, in the order of the paper."""

RIGHT = -1
"""Kind of a detection that finds a label."""
NO_LABEL = -1
"""Label of a detection that concerns none."""
BACKGROUND_IOU = 0.1
"""Overlap below which a detection has nothing to do with a label."""

_CLASS, _LOCATION, _BOTH, _DUPLICATE, _BACKGROUND, _ = range(len(KINDS))


@dataclass(frozen=True)
class Judgement:
    """Detections by frame, class and score, and what is wrong with each.

    Attributes:
        detections: Those that count, at most as many per frame and class as the protocol allows.
        labels: Labels of the same frames.
        num_classes: Number of classes that count.
        kinds: Position of each detection's kind in `KINDS`, or `RIGHT`.
        concerned: Label that each detection concerns, as a row of `labels`, or `NO_LABEL`: the one
            it finds, or that it would find with the right class or place; of a duplicate the label
            that was found already; of both the one it overlaps most.
        is_repaired: Wrong detections that would find their label with the right class or place: the
            best of all that concern a label that nothing finds.
        is_found: Labels that a detection finds.
        is_missed: Labels that nothing finds, nor would with the right class or place.
        protocol: How they were compared.
    """

    detections: FrameBoxes
    labels: FrameBoxes
    num_classes: int
    kinds: Int8[np.ndarray, " D"]
    concerned: Int64[np.ndarray, " D"]
    is_repaired: Bool[np.ndarray, " D"]
    is_found: Bool[np.ndarray, " L"]
    is_missed: Bool[np.ndarray, " L"]
    protocol: Protocol

    @property
    def is_right(self) -> Bool[np.ndarray, " D"]:
        """Whether each detection finds a label."""
        is_right: Bool[np.ndarray, " D"] = self.kinds == RIGHT
        return is_right

    def of_frames(self, wanted: Bool[np.ndarray, " F"]) -> "Judgement":
        """The same in some of the frames, which keep their numbers."""
        detections, labels = wanted[self.detections.frames], wanted[self.labels.frames]
        numbers = np.append(np.cumsum(labels) - 1, NO_LABEL)
        return Judgement(
            self.detections.take(detections),
            self.labels.take(labels),
            self.num_classes,
            self.kinds[detections],
            numbers[self.concerned[detections]],
            self.is_repaired[detections],
            self.is_found[labels],
            self.is_missed[labels],
            self.protocol,
        )


def judge(
    frames: Frames,
    num_classes: int,
    protocol: Protocol,
    background_iou: float = BACKGROUND_IOU,
) -> Judgement:
    """Judge every detection at the protocol's `curve_iou`, which is 0.5 if it has that threshold.

    With f for this overlap and b for `background_iou`, or f if that is less, a wrong detection is
    of the first kind that fits:

    - location: it overlaps a label of its class by b or more, but none by f;
    - class: it overlaps a label of another class by f or more;
    - duplicate: it overlaps a label of its class by f or more, which a better one has found;
    - both: it overlaps a label of another class by more than b;
    - background: it overlaps no label by more than b.

    Args:
        frames: Labels and detections; class ids are positions among the `num_classes` that count.
        num_classes: Number of classes.
        protocol: How they are compared.
        background_iou: Least overlap with an object that a detection can be meant for.
    """
    detections, groups, _ = best_first(frames, num_classes, protocol)
    labels, foreground_iou = frames.labels, protocol.curve_iou
    background_iou = min(background_iou, foreground_iou)
    pairs = find_overlaps(
        labels, detections, labels.frames, detections.frames, background_iou - 1e-9
    )
    is_same = detections.class_ids[pairs.detections] == labels.class_ids[pairs.labels]
    finds = _found_labels(pairs.take(is_same), groups, foreground_iou, len(labels))
    is_found = np.zeros(len(labels), bool)
    is_found[finds[finds != NO_LABEL]] = True
    wrong = pairs.take(finds[pairs.detections] == NO_LABEL)
    is_same = detections.class_ids[wrong.detections] == labels.class_ids[wrong.labels]
    number = len(detections)
    same, other, any_class = (
        _Nearest.of(part, number) for part in (wrong.take(is_same), wrong.take(~is_same), wrong)
    )
    fits = {
        _LOCATION: (same, (same.ious >= background_iou) & (same.ious < foreground_iou)),
        _CLASS: (other, other.ious >= foreground_iou),
        _DUPLICATE: (same, same.ious >= foreground_iou),
        _BOTH: (any_class, any_class.ious > background_iou),
    }
    kinds = np.where(finds == NO_LABEL, _BACKGROUND, RIGHT).astype(np.int8)
    concerned = finds.copy()
    for kind, (nearest, fit) in fits.items():
        rows = fit & (kinds == _BACKGROUND)
        kinds[rows], concerned[rows] = kind, nearest.labels[rows]
    is_repaired = _repaired(detections.scores, kinds, concerned, is_found)
    is_claimed = np.zeros(len(labels), bool)
    is_claimed[concerned[is_repaired]] = True
    return Judgement(
        *(detections, labels, num_classes, kinds, concerned, is_repaired),
        is_found=is_found,
        is_missed=~is_found & ~is_claimed,
        protocol=protocol,
    )


def _found_labels(
    same_class: Overlaps, groups: Int64[np.ndarray, " D"], iou: float, num_labels: int
) -> Int64[np.ndarray, " D"]:
    """The label that each detection finds, or `NO_LABEL`."""
    near = same_class.take(same_class.ious >= iou - 1e-9)
    candidates, given = assign(near, groups, np.array([iou]), np.zeros((1, num_labels), bool))
    finds = np.full(len(groups), NO_LABEL)
    finds[candidates] = np.where(given[0, 0] == UNASSIGNED, NO_LABEL, given[0, 0])
    return finds


@dataclass(frozen=True)
class _Nearest:
    """The label that each detection overlaps most; overlap 0 if none."""

    ious: Float64[np.ndarray, " D"]
    labels: Int64[np.ndarray, " D"]

    @classmethod
    def of(cls, pairs: Overlaps, number: int) -> "_Nearest":
        """Of equal overlaps the first label."""
        ious, labels = np.zeros(number), np.full(number, NO_LABEL)
        order = np.lexsort((-pairs.ious, pairs.detections))
        detections = pairs.detections[order]
        first = order[np.flatnonzero(np.diff(detections, prepend=-1))]
        ious[pairs.detections[first]] = pairs.ious[first]
        labels[pairs.detections[first]] = pairs.labels[first]
        return cls(ious, labels)


def _repaired(
    scores: Float64[np.ndarray, " D"],
    kinds: Int8[np.ndarray, " D"],
    concerned: Int64[np.ndarray, " D"],
    is_found: Bool[np.ndarray, " L"],
) -> Bool[np.ndarray, " D"]:
    """The best detection of the wrong class or place for each label that nothing finds."""
    rows = np.flatnonzero(np.isin(kinds, (_CLASS, _LOCATION)))
    rows = rows[~is_found[concerned[rows]]]
    order = np.lexsort((-scores[rows], concerned[rows]))
    best = rows[order[np.flatnonzero(np.diff(concerned[rows[order]], prepend=NO_LABEL))]]
    is_repaired = np.zeros(len(scores), bool)
    is_repaired[best] = True
    return is_repaired
