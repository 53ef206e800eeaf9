"""What average precision would be if some mistakes were repaired, and what a single one costs.

Source: Bolya et al., "TIDE: A General Toolbox for Identifying Object Detection Errors", ECCV 2020,
section 2.3.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.analysis.judgement import KINDS, Judgement, Kind
from etram_pipeline.analysis.precision import average_precision
from etram_pipeline.evaluation.curves import RECALLS
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH

Chosen = tuple[Bool[np.ndarray, " D"], Bool[np.ndarray, " L"]]
"""Mistakes: wrong detections, and labels that nothing finds."""


def mistakes_of(judgement: Judgement, kind: Kind) -> Chosen:
    """The mistakes of one kind."""
    is_kind = judgement.kinds == KINDS.index(kind)
    nothing = np.zeros(len(judgement.labels), bool)
    return is_kind, judgement.is_missed if kind == "missed" else nothing


@dataclass(frozen=True)
class Precision:
    """Average precision by class of detections that were judged, and of repairs of them.

    It is that of the overlap at which they were judged, such as `AP_50`.

    Attributes:
        judgement: The detections.
        order: Rows of all detections, best first; of equal scores the first row.
        as_it_is: Average precision of each class; `NO_GROUND_TRUTH` without labels.
    """

    judgement: Judgement
    order: Int64[np.ndarray, " D"]
    as_it_is: Float64[np.ndarray, " K"]

    @classmethod
    def of(cls, judgement: Judgement) -> "Precision":
        """Of the detections as they are."""
        order = np.argsort(-judgement.detections.scores, kind="stable")
        unknown = cls(judgement, order, np.full(judgement.num_classes, NO_GROUND_TRUTH))
        nothing = np.zeros(len(judgement.detections), bool), np.zeros(len(judgement.labels), bool)
        return cls(judgement, order, unknown.repaired(*nothing))

    def gain(self, repaired: Float64[np.ndarray, " K"]) -> float:
        """What a repair adds to the mean; `NO_GROUND_TRUTH` if no class has labels."""
        if not (self.as_it_is > NO_GROUND_TRUTH).any():
            return NO_GROUND_TRUTH
        return self.overall(repaired) - self.overall(self.as_it_is)

    def repaired(
        self,
        detections: Bool[np.ndarray, " D"],
        labels: Bool[np.ndarray, " L"],
        *,
        take_away: bool = False,
    ) -> Float64[np.ndarray, " K"]:
        """Average precision of each class with some mistakes repaired and all others as they are.

        A detection of the wrong class or place then finds its label, if it is the best of those
        that concern it; every other detection is taken away. Labels are taken away as well. A class
        none of whose labels is left has 1 without detections, and else 0.

        Args:
            detections: Wrong detections to repair.
            labels: Labels that nothing finds, to take away.
            take_away: Whether detections of the wrong class or place are taken away like others.
        """
        judged = self.judgement
        finds = detections & judged.is_repaired & (not take_away)
        class_ids = judged.detections.class_ids.copy()
        class_ids[finds] = judged.labels.class_ids[judged.concerned[finds]]
        is_right, is_kept = judged.is_right | finds, ~detections | finds
        number = judged.num_classes
        had_labels = np.bincount(judged.labels.class_ids, minlength=number) > 0
        num_labels = np.bincount(judged.labels.class_ids[~labels], minlength=number).tolist()
        ranked = self.order[is_kept[self.order]]
        # NumPy sorts short integers many times as fast.
        by_class = ranked[np.argsort(class_ids[ranked].astype(np.int16), kind="stable")]
        ends = np.searchsorted(class_ids[by_class], np.arange(number + 1))
        precision = np.full(number, NO_GROUND_TRUTH)
        for class_id in np.flatnonzero(had_labels).tolist():
            rows = by_class[ends[class_id] : ends[class_id + 1]]
            precision[class_id] = self._average(rows, is_right, num_labels[class_id])
        return precision

    def _average(
        self, rows: Int64[np.ndarray, " M"], is_right: Bool[np.ndarray, " D"], num_labels: int
    ) -> float:
        if not num_labels:
            return float(not len(rows))
        scores, protocol = self.judgement.detections.scores, self.judgement.protocol
        return average_precision(is_right[rows], scores[rows], num_labels, protocol)

    def overall(self, precision: Float64[np.ndarray, " K"]) -> float:
        """Mean over the classes that have labels; `NO_GROUND_TRUTH` if none has."""
        known = precision[self.as_it_is > NO_GROUND_TRUTH]
        return float(known.mean()) if len(known) else NO_GROUND_TRUTH

    def costs(self, kind: Kind) -> tuple[Float64[np.ndarray, " D"], Float64[np.ndarray, " L"]]:
        """What each mistake of one kind costs: its share of what repairing the kind would gain.

        The gain of each class is divided among the mistakes that cause it, so that all costs add up
        to the gain of the kind. A missed label has the same share as any other of its class. A
        wrong detection has a share in proportion to the precision that it takes from the right ones
        after it, and, if it would find its label, to the precision at its score.

        Returns:
            Cost of each detection and of each label; 0 for those that are no mistake of this kind.
        """
        judged = self.judgement
        wrong, missed = mistakes_of(judged, kind)
        gain = self.repaired(wrong, missed) - self.as_it_is
        gain /= max(np.count_nonzero(self.as_it_is > NO_GROUND_TRUTH), 1)
        label_costs = _divided(gain, judged.labels.class_ids[missed], np.ones(missed.sum()))
        of_labels = np.zeros(len(judged.labels))
        of_labels[missed] = label_costs
        taken, finding = np.flatnonzero(wrong), np.flatnonzero(wrong & judged.is_repaired)
        found_class = judged.labels.class_ids[judged.concerned[finding]]
        shares = _divided(
            gain,
            np.concatenate([judged.detections.class_ids[taken], found_class]),
            np.concatenate([self._taken(taken), self._found(finding, found_class)]),
        )
        of_detections = np.zeros(len(judged.detections))
        np.add.at(of_detections, np.concatenate([taken, finding]), shares)
        return of_detections, of_labels

    def _taken(self, rows: Int64[np.ndarray, " M"]) -> Float64[np.ndarray, " M"]:
        """Average precision that each wrong detection takes from the right ones after it."""
        judged = self.judgement
        taken = np.zeros(len(judged.detections))
        num_labels = np.bincount(judged.labels.class_ids, minlength=judged.num_classes)
        for class_id in np.flatnonzero(num_labels).tolist():
            ranked = self.order[judged.detections.class_ids[self.order] == class_id]
            taken[ranked] = _taken_by_each(judged.is_right[ranked], int(num_labels[class_id]))
        of_rows: Float64[np.ndarray, " M"] = taken[rows]
        return of_rows

    def _found(
        self, rows: Int64[np.ndarray, " M"], class_ids: Int64[np.ndarray, " M"]
    ) -> Float64[np.ndarray, " M"]:
        """Average precision that each detection adds by finding a label of a class, about."""
        judged = self.judgement
        places = np.empty(len(self.order), np.int64)
        places[self.order] = np.arange(len(self.order))
        found = np.zeros(len(rows))
        for class_id in np.unique(class_ids).tolist():
            mine = class_ids == class_id
            ranked = self.order[judged.detections.class_ids[self.order] == class_id]
            num_right = np.concatenate([[0], np.cumsum(judged.is_right[ranked])])
            before = np.searchsorted(places[ranked], places[rows[mine]])
            num_labels = np.count_nonzero(judged.labels.class_ids == class_id)
            found[mine] = (num_right[before] + 1) / (before + 1) / num_labels
        return found


def _taken_by_each(is_right: Bool[np.ndarray, " D"], num_labels: int) -> Float64[np.ndarray, " D"]:
    """Average precision lost to each detection, if it were wrong; 0 for right ones.

    Without a wrong detection, the best precision at or beyond a recall would have one false
    detection less, if that comes first.
    """
    taken = np.zeros(len(is_right))
    places = np.flatnonzero(is_right)
    if not len(places):
        return taken
    num_right = np.arange(1, len(places) + 1)
    precision = num_right / (places + 1)
    best = np.arange(len(places))
    for_last = precision[::-1]
    is_best = for_last >= np.maximum.accumulate(for_last)
    best = np.minimum.accumulate(np.where(is_best, best[::-1], len(places)))[::-1]
    first = np.searchsorted(num_right / num_labels, RECALLS, side="left")
    peaks = best[first[first < len(places)]]
    without_one = num_right[peaks] / np.maximum(places[peaks], 1)
    np.add.at(taken, places[peaks], np.minimum(without_one, 1) - precision[peaks])
    taken = np.cumsum(taken[::-1])[::-1] / len(RECALLS)
    taken[places] = 0
    return taken


def _divided(
    gain: Float64[np.ndarray, " K"],
    class_ids: Int64[np.ndarray, " M"],
    weights: Float64[np.ndarray, " M"],
) -> Float64[np.ndarray, " M"]:
    """The gain of each class, divided in proportion to weights; equally if all are 0."""
    totals = np.bincount(class_ids, weights, minlength=len(gain))
    weights = np.where(totals[class_ids] > 0, weights, 1.0)
    totals = np.bincount(class_ids, weights, minlength=len(gain))
    shares: Float64[np.ndarray, " M"] = gain[class_ids] * weights / totals[class_ids]
    return shares
