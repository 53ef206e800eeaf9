"""Average precision at one overlap, of detections that were judged."""

import numpy as np
from jaxtyping import Bool, Float64

from etram_pipeline.evaluation.curves import RECALLS
from etram_pipeline.evaluation.outcomes import steps_of
from etram_pipeline.evaluation.protocol import Protocol


def average_precision(
    is_right: Bool[np.ndarray, " D"],
    scores: Float64[np.ndarray, " D"],
    num_labels: int,
    protocol: Protocol,
) -> float:
    """Mean of the largest precision at or beyond each of COCO's recalls.

    Args:
        is_right: Whether each detection finds a label; all others count as wrong.
        scores: Their scores; descending.
        num_labels: Labels to find, at least 1.
        protocol: Says whether detections of equal score are told apart.
    """
    ends = np.flatnonzero(np.diff(steps_of(scores, protocol), append=-1))
    num_right = np.cumsum(is_right)[ends]
    # Precision peaks and recall rises at right detections only, so these alone are looked at.
    rises = np.diff(num_right, prepend=0) > 0
    ends, num_right = ends[rises], num_right[rises]
    precision = num_right / (ends + 1 + np.spacing(1))
    envelope = np.maximum.accumulate(precision[::-1])[::-1]
    first = np.searchsorted(num_right / num_labels, RECALLS, side="left")
    return float(np.append(envelope, np.zeros(1))[np.minimum(first, len(envelope))].mean())
