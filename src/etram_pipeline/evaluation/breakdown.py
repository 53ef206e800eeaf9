"""Curves to numbers: overall, per class, by size; recordings by time of day."""

import re
from collections.abc import Iterable

import numpy as np
from jaxtyping import Bool, Float64

from etram_pipeline.evaluation.curves import Curves
from etram_pipeline.evaluation.matching import FrameBoxes
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.outcomes import outside_ranges
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import LIGHTING, LabelCounts

_LIGHTING = re.compile(rf"(?<![a-z])({'|'.join(LIGHTING)})(?![a-z])")


def summarize(curves: Curves, protocol: Protocol, class_id: int | None = None) -> dict[str, float]:
    """COCO's metrics, of all classes or of one; `NO_GROUND_TRUTH` where there is none.

    Returns:
        `AP`, `AP_50` and `AP_75` where the protocol has that IoU, `AP_<size>`, `AR_<detections>`
        and `AR_<size>`.
    """
    classes = slice(None) if class_id is None else slice(class_id, class_id + 1)
    precision, recall = curves.precision[:, :, classes], curves.recall[:, classes]
    metrics = {"AP": _mean(precision[..., 0])}
    for percent in (50, 75):
        iou = protocol.index_of(percent / 100)
        if iou is not None:
            metrics[f"AP_{percent}"] = _mean(precision[iou, ..., 0])
    for area, size in enumerate(protocol.area_ranges, start=1):
        metrics[f"AP_{size}"] = _mean(precision[..., area])
    for limit, max_detections in enumerate(protocol.max_detections):
        metrics[f"AR_{max_detections}"] = _mean(recall[:, :, 0, limit])
    for area, size in enumerate(protocol.area_ranges, start=1):
        metrics[f"AR_{size}"] = _mean(recall[:, :, area, -1])
    return metrics


def precision_by_recall(curves: Curves, protocol: Protocol, class_id: int) -> list[float]:
    """Precision at recall 0, 0.01 … 1 and the protocol's `curve_iou` over all sizes."""
    iou = protocol.iou_thresholds.index(protocol.curve_iou)
    precision: list[float] = curves.precision[iou, :, class_id, 0].tolist()
    return precision


def count_labels(labels: FrameBoxes, protocol: Protocol) -> LabelCounts:
    """Number of labels, and how many are in each area range."""
    _, *inside = (~outside_ranges(labels, protocol)).sum(axis=0).tolist()
    by_size = dict(zip(protocol.area_ranges, inside, strict=True))
    return LabelCounts(total=len(labels), by_size=by_size)


def recordings_by_lighting(recordings: Iterable[str]) -> dict[str, Bool[np.ndarray, " R"]]:
    """Which recordings were made by day, by night, in twilight, as their names tell.

    Source: eTraM's names, such as `test_night_0012`.
    """
    found = [_LIGHTING.findall(recording.lower()) for recording in recordings]
    lighting = [matches[-1] if matches else "" for matches in found]
    return {
        name: np.array([name == other for other in lighting])
        for name in LIGHTING
        if name in lighting
    }


def _mean(values: Float64[np.ndarray, "..."]) -> float:
    known = values[values > NO_GROUND_TRUTH]
    return float(known.mean()) if known.size else NO_GROUND_TRUTH
