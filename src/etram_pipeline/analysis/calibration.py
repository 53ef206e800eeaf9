"""How far scores are from probabilities, and the scaling that brings them there."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float64

from etram_pipeline.analysis.reliability import (
    CalibrationResult,
    Reliability,
    measure_reliability,
)
from etram_pipeline.core.calibration import LOWEST_SCORE, Calibration
from etram_pipeline.core.scaling_kind import ScalingKind
from etram_pipeline.core.scalings import fit_scaling
from etram_pipeline.evaluation.curves import Ranking, rank_detections
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.outcomes import match_classes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import Choice, resolve_protocol
from etram_pipeline.evaluation.scoring import gather_evidence
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


@dataclass(frozen=True)
class _Judged:
    """Detections that count.

    Attributes:
        scores: Score of each.
        is_right: Whether each finds a label.
    """

    scores: Float64[np.ndarray, " N"]
    is_right: Bool[np.ndarray, " N"]

    def reliability(self, calibration: Calibration | None = None) -> Reliability:
        """Shares of right detections by score, or by scaled score."""
        scores = self.scores if calibration is None else calibration.apply(self.scores)
        return measure_reliability(scores, self.is_right)


def find_calibration(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Choice,
    class_names: tuple[str, ...] | None = None,
    *,
    kind: ScalingKind = "temperature",
) -> Calibration | None:
    """The scaling that suits the scores of some recordings best; None if no detection is right.

    Fit it to validation recordings, and apply it to others. Which detections are right is decided
    as in `evaluate`, whose arguments and errors these are, at the protocol's `curve_iou`.

    Args:
        labels: Ground truth by recording.
        detections: Detections of the same recordings, as the detector scored them.
        protocol: How to compare; latency, masks and the choice of the ranking score are left out.
        class_names: Name of each class id of the tables; None: the protocol's classes.
        kind: Kind of the scaling.
    """
    evidence = _evidence(labels, detections, protocol, class_names)
    judged, _ = _judge(evidence, LOWEST_SCORE)
    if not judged.is_right.any():
        return None
    return Calibration(
        protocol=evidence.protocol.name,
        choices=_choices(evidence),
        num_detections=len(judged.scores),
        scaling=fit_scaling(kind, judged.scores, judged.is_right),
    )


def measure_calibration(  # what is compared, and how
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Choice,
    class_names: tuple[str, ...] | None = None,
    *,
    calibration: Calibration | None = None,
    applied: bool = False,
) -> CalibrationResult:
    """Expected calibration error and reliability of the scores of some recordings.

    Detections count if the detector gave them a score of at least `LOWEST_SCORE`.

    Args:
        labels: Ground truth by recording.
        detections: Detections of the same recordings.
        protocol: As in `find_calibration`.
        class_names: Name of each class id of the tables; None: the protocol's classes.
        calibration: A scaling fitted to other recordings, whose effect is measured too, unless it
            was fitted by other choices; or the one that was applied.
        applied: Whether it was applied to these detections already.
    """
    evidence = _evidence(labels, detections, protocol, class_names)
    is_scaled = applied and calibration is not None
    lowest = calibration.of(LOWEST_SCORE) if applied and calibration else LOWEST_SCORE
    overall, per_class = _judge(evidence, lowest)
    fits = calibration is not None and not is_scaled and calibration.choices == _choices(evidence)
    tried = calibration if fits else None
    return CalibrationResult(
        protocol=evidence.protocol.name,
        iou=evidence.protocol.curve_iou,
        lowest_score=lowest,
        are_calibrated=is_scaled,
        overall=overall.reliability(),
        per_class={name: found.reliability() for name, found in per_class.items()},
        calibration=tried,
        scaled_overall=None if tried is None else overall.reliability(tried),
        scaled_per_class={}
        if tried is None
        else {name: found.reliability(tried) for name, found in per_class.items()},
    )


def _evidence(
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Choice,
    class_names: tuple[str, ...] | None,
) -> Evidence:
    """What is compared, with the score that thresholds refer to, whatever the protocol ranks by."""
    plain = {"ranking": "joint", "latency_ms": None, "metrics": Protocol(name="plain").metrics}
    changed = resolve_protocol(protocol).model_copy(update=plain)
    return gather_evidence(labels, detections, changed, class_names)


def _choices(evidence: Evidence) -> str:
    return evidence.protocol.choices(evidence.class_names)


def _judge(evidence: Evidence, lowest: float) -> tuple[_Judged, dict[str, _Judged]]:
    """Detections with at least a score: all together, and those of each class."""
    rankings = rank_detections(evidence.compare(match_classes))
    everything = rankings
    if not evidence.protocol.class_aware:
        everything = rank_detections(evidence.compare(match_classes, as_one_class=True))
    return _joined(everything, lowest), {
        name: _joined([ranking], lowest)
        for name, ranking in zip(evidence.class_names, rankings, strict=True)
    }


def _joined(rankings: Sequence[Ranking], lowest: float) -> _Judged:
    scores = np.concatenate([ranking.scores for ranking in rankings])
    is_right = np.concatenate([ranking.is_right for ranking in rankings])
    counts = scores >= lowest
    return _Judged(scores[counts], is_right[counts])
