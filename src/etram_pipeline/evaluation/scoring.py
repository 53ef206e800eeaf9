"""The one entry: tables of labels and detections to metrics."""

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Literal

import numpy as np

from etram_pipeline.evaluation.average_precision import Curves, compute_curves
from etram_pipeline.evaluation.breakdown import (
    precision_by_recall,
    recordings_by_lighting,
    summarize,
)
from etram_pipeline.evaluation.classes import ScoredClasses, scored_classes
from etram_pipeline.evaluation.coco import library_curves
from etram_pipeline.evaluation.confusion import count_confusions
from etram_pipeline.evaluation.matching import (
    Frames,
    compared_detections,
    count_repeats,
    join_frames,
    match_recording,
)
from etram_pipeline.evaluation.metrics import ClassMetrics, Metrics
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.tables import detection_boxes, label_boxes, times_of_labels
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable

logger = logging.getLogger(__name__)

Engine = Literal["numpy", "faster_coco_eval", "pycocotools"]
_CurvesOf = Callable[[Frames, int, Protocol], Curves]

_MANY_REPEATS = 1.5
"""Labels at irregular times are closer than the tolerance here and there, which does no harm."""


def evaluate(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol | str,
    class_names: tuple[str, ...] | None = None,
    *,
    engine: Engine = "numpy",
) -> Metrics:
    """Metrics of detections by a protocol; the same tables give the same numbers.

    Args:
        labels: Ground truth by recording, in px of the sensor, in any order.
        detections: Detections of the same recordings, likewise, at all times at which the detector
            ran; an empty table where nothing was detected. Both are read one recording at a time.
        protocol: How to compare, or the name of a known way.
        class_names: Name of each class id of the tables; None: the protocol's classes.
        engine: What computes precision and recall. All give the same numbers; the libraries are
            many times slower and take a dictionary for every box.

    Raises:
        ProtocolError: If the protocol is not known or does not fit the tables' classes.
        LabelError: If a table is not one of boxes.
        ValueError: If labels and detections are not of the same recordings.
    """
    protocol = resolve_protocol(protocol)
    _check_recordings(labels, detections)
    frames = _frames(labels, detections, protocol)
    classes = scored_classes(protocol, class_names, _num_ids(frames))
    nothing_detected = len(frames.labels) > 0 and not len(frames.detections)
    frames = frames.mapped(classes.index_of_id)
    curves_of: _CurvesOf = (
        compute_curves if engine == "numpy" else partial(library_curves, library=engine)
    )
    curves = curves_of(frames, len(classes.names), protocol)
    overall = _overall(frames, curves, protocol, curves_of)
    if nothing_detected:
        # As the references have it, even for sizes without ground truth.
        overall = dict.fromkeys(overall, 0.0)
    return Metrics(
        protocol=protocol,
        overall=overall,
        per_class=_per_class(frames, curves, classes, protocol),
        groups=_by_lighting(frames, list(labels), len(classes.names), protocol, curves_of),
        precision_recall={
            name: precision_by_recall(curves, protocol, class_id)
            for class_id, name in enumerate(classes.names)
        },
        confusion=count_confusions(frames, classes.names, protocol.confusion_score),
        num_recordings=len(labels),
        num_frames=len(frames),
        num_labels=len(frames.labels),
        num_detections=len(frames.detections),
    )


def _check_recordings(
    labels: Mapping[str, LabelTable], detections: Mapping[str, DetectionTable]
) -> None:
    if not labels:
        raise ValueError("there is no recording to evaluate")
    missing = sorted(set(labels) - set(detections))
    unknown = sorted(set(detections) - set(labels))
    if missing:
        raise ValueError(
            f"recordings {_shortened(missing)} have no table of detections; "
            "predict them, or give an empty table where nothing was detected"
        )
    if unknown:
        raise ValueError(
            f"there are detections of recordings {_shortened(unknown)}, but no labels; "
            "leave them out, or give an empty table where nothing is there"
        )


def _shortened(names: list[str]) -> str:
    shown = 5
    more = f" and {len(names) - shown} more" if len(names) > shown else ""
    return f"{names[:shown]}{more}"


def _frames(
    labels: Mapping[str, LabelTable], detections: Mapping[str, DetectionTable], protocol: Protocol
) -> Frames:
    parts, repeats, num_detections, num_compared = [], [], 0, 0
    for recording, table in labels.items():
        true = label_boxes(table, recording, protocol)
        found = detection_boxes(detections[recording], recording, protocol)
        compared = compared_detections(found, times_of_labels(table, recording), protocol)
        parts.append(match_recording(true, compared, protocol))
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
    return join_frames(parts)


def _num_ids(frames: Frames) -> int:
    both = np.concatenate([frames.labels.class_ids, frames.detections.class_ids])
    return int(both.max(initial=-1)) + 1


def _overall(
    frames: Frames, curves: Curves, protocol: Protocol, curves_of: _CurvesOf
) -> dict[str, float]:
    if not protocol.class_aware:
        curves = curves_of(frames.without_classes(), 1, protocol)
    return summarize(curves, protocol)


def _per_class(
    frames: Frames, curves: Curves, classes: ScoredClasses, protocol: Protocol
) -> dict[str, ClassMetrics]:
    num_labels, num_detections = (
        np.bincount(boxes.class_ids, minlength=len(classes.names)).tolist()
        for boxes in (frames.labels, frames.detections)
    )
    return {
        name: ClassMetrics(
            metrics=summarize(curves, protocol, class_id),
            num_labels=num_labels[class_id],
            num_detections=num_detections[class_id],
        )
        for class_id, name in enumerate(classes.names)
    }


def _by_lighting(
    frames: Frames,
    recordings: list[str],
    num_classes: int,
    protocol: Protocol,
    curves_of: _CurvesOf,
) -> dict[str, dict[str, float]]:
    groups = {}
    for name, wanted in recordings_by_lighting(recordings).items():
        part = frames.of_recordings(wanted)
        curves = curves_of(part, num_classes, protocol)
        groups[name] = _overall(part, curves, protocol, curves_of)
    return groups
