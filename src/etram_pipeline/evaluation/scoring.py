"""The one entry: tables of labels and detections to metrics."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.evaluation.breakdown import count_labels, recordings_by_lighting
from etram_pipeline.evaluation.classes import scored_classes
from etram_pipeline.evaluation.confusion import count_confusions
from etram_pipeline.evaluation.evidence import Engine, Evidence
from etram_pipeline.evaluation.ground_truth import fingerprint_labels
from etram_pipeline.evaluation.latency import SearchedTimes, as_seen
from etram_pipeline.evaluation.matches import Matches, find_matches
from etram_pipeline.evaluation.matching import (
    Frames,
    compared_detections,
    count_repeats,
    join_frames,
    match_recording,
)
from etram_pipeline.evaluation.metrics import Measured
from etram_pipeline.evaluation.operating_point import best_scores, measure_operating_point
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.recordings import check_recordings
from etram_pipeline.evaluation.result import ClassMetrics, LabelCounts, Metrics
from etram_pipeline.evaluation.tables import (
    detection_boxes,
    empty_moments,
    label_boxes,
    times_of_labels,
)
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable

logger = logging.getLogger(__name__)

_Content = TypeVar("_Content")

_MANY_REPEATS = 1.5
"""Labels at irregular times are closer than the tolerance here and there, which does no harm."""


def evaluate(  # noqa: PLR0913  # what is compared, and how
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol | str,
    class_names: tuple[str, ...] | None = None,
    *,
    engine: Engine = "compiled",
    operating_scores: OperatingScores | None = None,
    searched_us: SearchedTimes | None = None,
) -> Metrics:
    """Metrics of detections by a protocol; the same tables give the same numbers.

    Args:
        labels: Ground truth by recording, in px of the sensor, in any order. `LabelTables` also
            know moments without any object, at which every detection is false.
        detections: Detections of the same recordings, likewise, at all times at which the detector
            ran; an empty table where nothing was detected. Both are read one recording at a time.
        protocol: How to compare, or the name of a known way.
        class_names: Name of each class id of the tables; None: the protocol's classes.
        engine: What computes precision and recall. All give the same numbers; the libraries are
            many times slower and take a dictionary for every box.
        operating_scores: Scores found by `find_operating_scores` in other recordings. At these,
            precision, recall and F1 are measured, unless they were found by other choices.
        searched_us: Ends of all windows in which the detector ran, with detections or without, by
            recording; needed by protocols with `latency_ms`.

    Raises:
        ProtocolError: If the protocol is not known, does not fit the tables' classes, or has a
            latency and `searched_us` is missing.
        LabelError: If a table is not one of boxes.
        ValueError: If labels and detections are not of the same recordings.
    """
    protocol = resolve_protocol(protocol)
    evidence = gather_evidence(labels, detections, protocol, class_names, searched_us, engine)
    return _measure(evidence, operating_scores)


def evaluate_with_matches(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol | str,
    class_names: tuple[str, ...] | None = None,
    *,
    operating_scores: OperatingScores | None = None,
    searched_us: SearchedTimes | None = None,
) -> tuple[Metrics, Matches]:
    """Metrics as of `evaluate`, and the matches from which intervals and comparisons are made."""
    protocol = resolve_protocol(protocol)
    evidence = gather_evidence(labels, detections, protocol, class_names, searched_us)
    return _measure(evidence, operating_scores), find_matches(evidence, operating_scores)


def _measure(evidence: Evidence, operating_scores: OperatingScores | None) -> Metrics:
    protocol = evidence.protocol
    measured = [metric.measure(evidence) for metric in protocol.metrics]
    return Metrics(
        protocol=protocol,
        overall=_joined([part.overall for part in measured]),
        per_class=_per_class(evidence, measured),
        groups=_by_lighting(evidence),
        precision_recall=_joined([part.precision_recall for part in measured]),
        confusion=count_confusions(evidence.frames, evidence.class_names, protocol),
        num_recordings=len(evidence.recordings),
        num_frames=len(evidence.frames),
        num_labels=len(evidence.frames.labels),
        num_detections=len(evidence.frames.detections),
        label_counts=_label_counts(evidence),
        operating_point=operating_scores and measure_operating_point(evidence, operating_scores),
        ground_truth=evidence.ground_truth,
    )


def find_operating_scores(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol | str,
    class_names: tuple[str, ...] | None = None,
    *,
    searched_us: SearchedTimes | None = None,
) -> OperatingScores | None:
    """Scores with the highest F1, of each class and of all; None if no detection is right.

    Choose them in validation recordings, and give them to `evaluate` with others. The arguments
    and errors are those of `evaluate`.
    """
    protocol = resolve_protocol(protocol)
    return best_scores(gather_evidence(labels, detections, protocol, class_names, searched_us))


def gather_evidence(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol,
    class_names: tuple[str, ...] | None = None,
    searched_us: SearchedTimes | None = None,
    engine: Engine = "compiled",
) -> Evidence:
    """What metrics are computed from; the arguments and errors are those of `evaluate`."""
    check_recordings(labels, detections, "detections")
    detections = as_seen(labels, detections, protocol, searched_us)
    frames = _frames(labels, detections, protocol)
    classes = scored_classes(protocol, class_names, _num_ids(frames))
    return Evidence(
        protocol=protocol,
        recordings=tuple(labels),
        labels=labels,
        detections=detections,
        class_names=classes.names,
        everything=frames.mapped(classes.index_of_id),
        nothing_detected=len(frames.labels) > 0 and not len(frames.detections),
        engine=engine,
        ground_truth=fingerprint_labels(labels, protocol, classes),
    )


def _frames(
    labels: Mapping[str, LabelTable], detections: Mapping[str, DetectionTable], protocol: Protocol
) -> Frames:
    parts, repeats, num_detections, num_compared = [], [], 0, 0
    for recording, table in labels.items():
        true = label_boxes(table, recording, protocol)
        found = detection_boxes(detections[recording], recording, protocol)
        empty_us = empty_moments(labels, recording)
        moments_us = np.concatenate([times_of_labels(table, recording), empty_us])
        compared = compared_detections(found, moments_us, protocol)
        parts.append(match_recording(true, compared, protocol, empty_us))
        repeats.append(count_repeats(true, compared, protocol))
        num_detections += len(found.times_us)
        num_compared += len(compared.times_us)
    if num_detections and not num_compared and any(len(part) for part in parts):
        logger.warning(
            "%s compares only detections at the exact time of a label, and none of the %d "
            "detections is at one: all labels count as missed; detect at the labelled frames, or "
            "use a protocol with `frames: near`",
            protocol.name,
            num_detections,
        )
    if max(repeats) > _MANY_REPEATS:
        logger.warning(
            "%s compares a label with all detections within %g ms, but labels are closer to each "
            "other than that: detections count %.1f times, and AP is too low; use a protocol with "
            "`moments: nearest`, or a larger labels.frame_interval_ms",
            protocol.name,
            protocol.tolerance_us / 1000,
            max(repeats),
        )
    frames = join_frames(parts)
    if protocol.ties == "together":
        # Of equal overlaps a detection takes the last label.
        frames = replace(frames, labels=frames.labels.by_content())
        if protocol.needs_masks:  # which pycocotools takes in order of rows
            frames = replace(frames, detections=frames.detections.by_content())
    return frames


def _num_ids(frames: Frames) -> int:
    both = np.concatenate([frames.labels.class_ids, frames.detections.class_ids])
    return int(both.max(initial=-1)) + 1


def _per_class(evidence: Evidence, measured: Sequence[Measured]) -> dict[str, ClassMetrics]:
    names = evidence.class_names
    num_labels, num_detections = (
        np.bincount(boxes.class_ids, minlength=len(names)).tolist()
        for boxes in (evidence.frames.labels, evidence.frames.detections)
    )
    return {
        name: ClassMetrics(
            metrics=_joined([part.per_class.get(name, {}) for part in measured]),
            num_labels=num_labels[class_id],
            num_detections=num_detections[class_id],
        )
        for class_id, name in enumerate(names)
    }


def _label_counts(evidence: Evidence) -> dict[str, LabelCounts]:
    recordings, labels = evidence.frames.recordings, evidence.frames.labels
    everything = np.ones(len(evidence.recordings), bool)
    groups = {"all": everything, **recordings_by_lighting(evidence.recordings)}
    return {
        name: count_labels(labels.take(wanted[recordings[labels.frames]]), evidence.protocol)
        for name, wanted in groups.items()
    }


def _by_lighting(evidence: Evidence) -> dict[str, dict[str, float]]:
    return {
        name: _joined(
            [
                metric.measure(evidence.of_recordings(wanted)).overall
                for metric in evidence.protocol.metrics
            ]
        )
        for name, wanted in recordings_by_lighting(evidence.recordings).items()
    }


def _joined(parts: Iterable[Mapping[str, _Content]]) -> dict[str, _Content]:
    """The entries of all metrics, in their order."""
    return {name: content for part in parts for name, content in part.items()}
