"""Whether scores can be trusted: shares of right detections by score."""

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import Field

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import metric_names

NUM_BINS = 20
"""Ranges of equal width from 0 to 1 that detections are gathered in, by score."""


class Bin(Settings):
    """Detections with similar scores.

    Attributes:
        low: Least score of the range, included.
        high: Its end.
        mean_score: Mean score of the detections.
        share_right: Share of the detections that are right.
        num_detections: Number of detections.
    """

    low: float
    high: float
    mean_score: float
    share_right: float
    num_detections: int


class Reliability(Settings):
    """Scores of detections, compared with the share of them that is right.

    Attributes:
        ece: Expected calibration error: difference between mean score and share of right detections
            in a bin, mean over the detections; 0 without any.
        mean_score: Mean score of the detections; 0 without any.
        share_right: Share of the detections that are right; 0 without any.
        num_detections: Number of detections.
        bins: Those with detections, in order of their scores.
    """

    ece: float
    mean_score: float
    share_right: float
    num_detections: int
    bins: tuple[Bin, ...]


class CalibrationResult(Settings):
    """Whether the scores of a split can be trusted, by one protocol.

    Attributes:
        protocol: Name of the protocol.
        split: The recordings.
        iou: Overlap from which a detection is right.
        lowest_score: Least score of the detections that count.
        are_calibrated: Whether the stored scores were scaled already.
        overall: All detections together.
        per_class: Those of each class.
        calibration: Scaling that is fitted to the validation recordings; None if not known.
        scaled_overall: The same detections as in `overall`, with scaled scores.
        scaled_per_class: Those of each class.
        no_calibration: Why there is no scaling, and what to do; empty if there is one.
    """

    protocol: str
    split: str = ""
    iou: float
    lowest_score: float
    are_calibrated: bool = False
    overall: Reliability
    per_class: dict[str, Reliability]
    calibration: Calibration | None = None
    scaled_overall: Reliability | None = None
    scaled_per_class: dict[str, Reliability] = Field(default_factory=dict)
    no_calibration: str = ""


def measure_reliability(
    scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]
) -> Reliability:
    """Shares of right detections in `NUM_BINS` ranges of equal width.

    Source: Küppers et al., "Multivariate Confidence Calibration for Object Detection", CVPR
    workshops 2020, section 3, for the score alone.

    Args:
        scores: Score of each detection, from 0 to 1.
        is_right: Whether each is right.
    """
    edges = np.linspace(0, 1, NUM_BINS + 1)
    places = np.clip(np.searchsorted(edges, scores, side="right") - 1, 0, NUM_BINS - 1)
    counts = np.bincount(places, minlength=NUM_BINS)
    sums = np.bincount(places, scores, minlength=NUM_BINS)
    num_right = np.bincount(places, is_right, minlength=NUM_BINS)
    number = max(len(scores), 1)
    bins = tuple(
        Bin(
            low=float(edges[place]),
            high=float(edges[place + 1]),
            mean_score=float(sums[place] / counts[place]),
            share_right=float(num_right[place] / counts[place]),
            num_detections=int(counts[place]),
        )
        for place in np.flatnonzero(counts)
    )
    return Reliability(
        ece=float(np.abs(sums - num_right).sum() / number),
        mean_score=float(sums.sum() / number),
        share_right=float(num_right.sum() / number),
        num_detections=len(scores),
        bins=bins,
    )


def flatten_calibration(result: CalibrationResult) -> dict[str, float]:
    """Numbers by name, such as `test/etram_8class/calibration/ece`.

    Classes without detections that count are left out.
    """
    values: dict[tuple[str, ...], float] = {}
    for name, found in [(None, result.overall), *result.per_class.items()]:
        if found.num_detections:
            of_class = () if name is None else (name,)
            place = (result.split, result.protocol, *of_class, "calibration")
            values[*place, "ece"] = found.ece
            scaled = result.scaled_overall if name is None else result.scaled_per_class.get(name)
            if scaled is not None:
                values[*place, "scaled_ece"] = scaled.ece
    names = metric_names(values)
    return {names[parts]: value for parts, value in values.items()}
