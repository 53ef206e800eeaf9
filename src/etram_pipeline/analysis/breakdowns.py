"""How many objects are found, by what they do and where they are."""

import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float64, Int64

from etram_pipeline.analysis.attributes import ATTRIBUTES, Attribute, LabelledRecording
from etram_pipeline.analysis.judgement import Judgement
from etram_pipeline.analysis.precision import average_precision
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.result import LEVEL, ROUNDS

logger = logging.getLogger(__name__)

RECORDING = "recording"
"""Name of the breakdown by recording."""


@dataclass(frozen=True)
class BinScore:
    """What is found of the labels of one bin.

    Attributes:
        attribute: Name of the attribute, or `RECORDING`.
        title: The attribute for people.
        unit: Of its values; empty for recordings.
        bin: Name of the bin, or of the recording.
        num_labels: Labels in the bin.
        recall: Share of them that a detection of at least the score given finds, of all classes
            together.
        low: Lower end of an interval of recall over recordings; NaN without one.
        high: Upper end.
        average_precision: Mean over classes at the overlap judged; NaN where wrong detections do
            not belong to a bin.
    """

    attribute: str
    title: str
    unit: str
    bin: str
    num_labels: int
    recall: float
    low: float = np.nan
    high: float = np.nan
    average_precision: float = np.nan


@dataclass(frozen=True)
class Breakdown:
    """Labels and detections that were judged, to be divided by attributes.

    Attributes:
        evidence: Where they are from.
        judgement: What `judge_evidence` found.
        score: Least score of a detection that counts for recall; None: all count.
        rounds: Draws of the recordings behind an interval; 0: no intervals.
        level: Share of such intervals that cover the value of all recordings of the kind.
    """

    evidence: Evidence
    judgement: Judgement
    score: float | None = None
    rounds: int = ROUNDS
    level: float = LEVEL

    def scores(
        self,
        recordings: Mapping[str, LabelledRecording],
        attributes: tuple[Attribute, ...] = ATTRIBUTES,
    ) -> Iterator[BinScore]:
        """Bins with labels, attribute by attribute, then the recordings.

        Args:
            recordings: The recordings of the evidence.
            attributes: What to divide by; one that is known of no label is left out, and the log
                says why.
        """
        values = {each.name: np.full(len(self.judgement.labels), np.nan) for each in attributes}
        rows = self.judgement.labels.rows
        if rows is None:
            raise ValueError("labels that are judged must know their rows in the tables")
        for number, name in enumerate(self.evidence.recordings):
            mine = self._recordings_of(self.judgement.labels.frames) == number
            for each in attributes:
                values[each.name][mine] = each.measure(recordings[name])[rows[mine]]
        for each in attributes:
            known = values[each.name]
            if np.isnan(known).all():
                logger.info("no breakdown by %s: %s", each.title.lower(), each.needs)
                continue
            of_boxes = self._of_detections(each, recordings)
            for part in each.bins(known[~np.isnan(known)]):
                found = None if of_boxes is None else part.holds(of_boxes)
                yield from self._scored(
                    (each.name, each.title, each.unit, part.name), part.holds(known), found
                )
        yield from self._by_recording()

    def _by_recording(self) -> Iterator[BinScore]:
        labels, detections = (
            self._recordings_of(boxes.frames)
            for boxes in (self.judgement.labels, self.judgement.detections)
        )
        for number, name in enumerate(self.evidence.recordings):
            names = RECORDING, "Recording", "", name
            yield from self._scored(names, labels == number, detections == number)

    def _scored(
        self,
        names: tuple[str, str, str, str],
        labels: Bool[np.ndarray, " L"],
        detections: Bool[np.ndarray, " D"] | None,
    ) -> Iterator[BinScore]:
        """The score of one bin, unless it has no labels."""
        number = int(np.count_nonzero(labels))
        if not number:
            return
        found = self._found_labels & labels
        low, high = self._interval(found, labels)
        yield BinScore(
            *names,
            number,
            np.count_nonzero(found) / number,
            low,
            high,
            np.nan if detections is None else self._average_precision(labels, detections),
        )

    @cached_property
    def _weights(self) -> Int64[np.ndarray, "R N"]:
        """How often each recording is drawn."""
        from etram_pipeline.evaluation.resampling import draw_recordings

        recordings = self.evidence.recordings
        drawn = draw_recordings(recordings, np.ones(len(recordings), bool), self.rounds)
        return drawn.astype(np.int64)

    @cached_property
    def _order(self) -> Int64[np.ndarray, " D"]:
        """Rows of all detections, best first."""
        order: Int64[np.ndarray, " D"] = np.argsort(
            -self.judgement.detections.scores, kind="stable"
        )
        return order

    @cached_property
    def _found_labels(self) -> Bool[np.ndarray, " L"]:
        """Labels that a detection of at least the score finds."""
        judged = self.judgement
        counts = judged.is_right
        if self.score is not None:
            counts = counts & (judged.detections.scores >= self.score)
        found = np.zeros(len(judged.labels), bool)
        found[judged.concerned[counts]] = True
        return found

    def _interval(
        self, found: Bool[np.ndarray, " L"], labels: Bool[np.ndarray, " L"]
    ) -> tuple[float, float]:
        from etram_pipeline.evaluation.intervals import interval_of
        from etram_pipeline.evaluation.resampling import Resampled

        if not self.rounds:
            return np.nan, np.nan
        in_recording = self._recordings_of(self.judgement.labels.frames)
        num_found, num_labels = (
            np.bincount(in_recording[chosen], minlength=len(self.evidence.recordings))
            for chosen in (found, labels)
        )
        with np.errstate(invalid="ignore"):
            recall = (num_found @ self._weights) / (num_labels @ self._weights)
        interval = interval_of(Resampled(recall, num_labels), self.level)
        return (np.nan, np.nan) if interval is None else (interval.low, interval.high)

    def _average_precision(
        self, labels: Bool[np.ndarray, " L"], detections: Bool[np.ndarray, " D"]
    ) -> float:
        """As COCO's by area: what finds a label outside, or is wrong outside, does not count."""
        judged = self.judgement
        is_right = judged.is_right.copy()
        is_right[is_right] = labels[judged.concerned[is_right]]
        is_counted = is_right | (~judged.is_right & detections)
        counted = self._order[is_counted[self._order]]
        class_ids = judged.detections.class_ids[counted]
        num_labels = np.bincount(judged.labels.class_ids[labels], minlength=judged.num_classes)
        values = []
        for class_id in np.flatnonzero(num_labels).tolist():
            rows = counted[class_ids == class_id]
            values.append(
                average_precision(
                    is_right[rows],
                    judged.detections.scores[rows],
                    int(num_labels[class_id]),
                    judged.protocol,
                )
            )
        return float(np.mean(values))

    def _of_detections(
        self, attribute: Attribute, recordings: Mapping[str, LabelledRecording]
    ) -> Float64[np.ndarray, " D"] | None:
        """Values of all detections; None if only labels have the attribute."""
        if attribute.of_boxes is None:
            return None
        detections = self.judgement.detections
        values = np.full(len(detections), np.nan)
        boxes = detections.boxes_xywh / np.float32(self.evidence.protocol.pixel_scale)
        for number, name in enumerate(self.evidence.recordings):
            mine = self._recordings_of(detections.frames) == number
            sensor = recordings[name].height, recordings[name].width
            values[mine] = attribute.of_boxes(boxes[mine], *sensor)
        return values

    def _recordings_of(self, frames: Int64[np.ndarray, " N"]) -> Int64[np.ndarray, " N"]:
        of_frames: Int64[np.ndarray, " N"] = self.evidence.frames.recordings[frames]
        return of_frames


def flatten_scores(scores: Iterable[BinScore], split: str, protocol: str) -> dict[str, float]:
    """Numbers for MLflow: `test/p/breakdowns/speed/under 10/recall`, and `AP` where known.

    Recordings are left out: there may be hundreds.
    """
    values: dict[tuple[str, ...], float] = {}
    for each in scores:
        if each.attribute == RECORDING:
            continue
        place = (split, protocol, "breakdowns", each.attribute, each.bin)
        values[*place, "recall"] = each.recall
        if not np.isnan(each.average_precision):
            values[*place, "AP"] = each.average_precision
    names = metric_names(values)
    return {names[parts]: float(value) for parts, value in values.items()}
