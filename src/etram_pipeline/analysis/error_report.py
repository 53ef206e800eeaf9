"""What each kind of mistake costs: overall, by class, by size and by light."""

from collections.abc import Iterator

import numpy as np
from jaxtyping import Bool, Float64

from etram_pipeline.analysis.errors import judged_classes
from etram_pipeline.analysis.judgement import BACKGROUND_IOU, KINDS, Judgement, Kind
from etram_pipeline.analysis.repairs import Precision, mistakes_of
from etram_pipeline.core.component import Settings
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.protocol import Protocol

SPECIAL = {"false_positives": "fp", "false_negatives": "fn"}
"""Fields of `ErrorCosts` that repair several kinds at once, and their names in MLflow."""


class ErrorCosts(Settings):
    """Average precision, and what it would gain if one kind of mistake were repaired.

    Attributes:
        average_precision: At the overlap judged, before any repair; -1 without labels. Where only
            the mistakes of one size are repaired, that of all sizes.
        gains: By kind. They do not add up to 1: repairing one kind makes others cost more or less.
        counts: Number of mistakes by kind.
        false_positives: Gain without any wrong detection.
        false_negatives: Gain without any label that nothing finds.
    """

    average_precision: float
    gains: dict[Kind, float]
    counts: dict[Kind, int]
    false_positives: float
    false_negatives: float

    @property
    def main(self) -> Kind | None:
        """The kind whose repair gains most; None if no repair gains anything."""
        kind = max(self.gains, key=self.gains.__getitem__)
        return kind if self.gains[kind] > 0 else None


class ErrorReport(Settings):
    """Costs of all kinds of mistakes of one set of detections.

    Attributes:
        protocol: How detections and labels were compared.
        split: Recordings they are of.
        foreground_iou: Overlap from which a detection finds a label.
        background_iou: Overlap up to which a detection has nothing to do with a label.
        overall: Of all mistakes.
        per_class: By class. A detection of the wrong class costs its own class and that of the
            label; it is counted by its own. Empty for a protocol that ignores classes.
        per_size: By area range of the protocol: repairs of the mistakes of this size only. It is
            the size of the label that is missed, or that a detection of the wrong class or place
            should have found, and of all others that of the detection.
        per_light: Recordings by day, by night and in twilight, by themselves.
    """

    protocol: Protocol
    split: str = "test"
    foreground_iou: float
    background_iou: float
    overall: ErrorCosts
    per_class: dict[str, ErrorCosts]
    per_size: dict[str, ErrorCosts]
    per_light: dict[str, ErrorCosts]


def measure_errors(
    evidence: Evidence,
    judgement: Judgement,
    split: str = "test",
    background_iou: float = BACKGROUND_IOU,
) -> ErrorReport:
    """Costs of all kinds of mistakes.

    Args:
        evidence: Labels and detections.
        judgement: What `judge_evidence` found in them.
        split: Split of the recordings.
        background_iou: Overlap that they were judged by.
    """
    protocol, frames = evidence.protocol, evidence.frames
    everything = _Repairs(Precision.of(judgement))
    names = judged_classes(evidence) if protocol.class_aware else ()
    return ErrorReport(
        protocol=protocol,
        split=split,
        foreground_iou=protocol.curve_iou,
        background_iou=min(background_iou, protocol.curve_iou),
        overall=everything.costs(),
        per_class={name: everything.costs(class_id) for class_id, name in enumerate(names)},
        per_size={
            name: _Repairs(everything.precision, *_of_size(judgement, bounds)).costs()
            for name, bounds in protocol.area_ranges.items()
        },
        per_light={
            name: _Repairs(Precision.of(judgement.of_frames(wanted[frames.recordings]))).costs()
            for name, wanted in recordings_by_lighting(evidence.recordings).items()
        },
    )


def flatten_errors(report: ErrorReport) -> dict[str, float]:
    """Gains under the names that MLflow shows: `test/etram_8class/errors/location`.

    A class, size or light follows: `test/etram_8class/errors/location/class/car`, `…/size/S` and
    `…/light/night`. Values without labels are left out.
    """
    root = (report.split, report.protocol.name, "errors")
    values = {(*root, *parts): value for parts, value in _values(report)}
    names = metric_names(values)
    return {names[parts]: value for parts, value in values.items() if value != NO_GROUND_TRUTH}


def _values(report: ErrorReport) -> Iterator[tuple[tuple[str, ...], float]]:
    groups: dict[tuple[str, ...], ErrorCosts] = {(): report.overall}
    for group in ("class", "size", "light"):
        groups |= {(group, name): part for name, part in getattr(report, f"per_{group}").items()}
    for place, costs in groups.items():
        if costs.average_precision == NO_GROUND_TRUTH:
            continue
        yield from (((kind, *place), gain) for kind, gain in costs.gains.items())
        if costs is report.overall:
            yield from (((name,), getattr(costs, field)) for field, name in SPECIAL.items())


_WITH_A_LABEL = [KINDS.index("class"), KINDS.index("location")]
"""Kinds of detections that would find a label if repaired."""


class _Repairs:
    """Repairs of some of the mistakes, each made once."""

    def __init__(
        self,
        precision: Precision,
        detections: Bool[np.ndarray, " D"] | None = None,
        labels: Bool[np.ndarray, " L"] | None = None,
    ) -> None:
        """Of the mistakes among these detections and labels; None: all."""
        judged = precision.judgement
        self.precision = precision
        if detections is None or labels is None:
            detections = np.ones(len(judged.detections), bool)
            labels = np.ones(len(judged.labels), bool)
        chosen = {kind: mistakes_of(judged, kind) for kind in KINDS}
        self._chosen = {
            kind: (wrong & detections, missed & labels) for kind, (wrong, missed) in chosen.items()
        }
        self._repaired: dict[str, Float64[np.ndarray, " K"]] = {
            kind: precision.repaired(*of_kind) for kind, of_kind in self._chosen.items()
        } | {
            "false_positives": precision.repaired(
                ~judged.is_right & detections, np.zeros_like(labels), take_away=True
            ),
            "false_negatives": precision.repaired(
                np.zeros_like(detections), ~judged.is_found & labels
            ),
        }

    def costs(self, class_id: int | None = None) -> ErrorCosts:
        """Of one class or of all."""
        gains = {name: self._gain(name, class_id) for name in self._repaired}
        now = self.precision.as_it_is
        return ErrorCosts(
            average_precision=self.precision.overall(now) if class_id is None else now[class_id],
            gains={kind: gains[kind] for kind in KINDS},
            counts={kind: self._count(kind, class_id) for kind in KINDS},
            **{field: gains[field] for field in SPECIAL},
        )

    def _gain(self, name: str, class_id: int | None) -> float:
        if class_id is None:
            return self.precision.gain(self._repaired[name])
        before, after = self.precision.as_it_is[class_id], self._repaired[name][class_id]
        return NO_GROUND_TRUTH if before == NO_GROUND_TRUTH else float(after - before)

    def _count(self, kind: Kind, class_id: int | None) -> int:
        judged = self.precision.judgement
        wrong, missed = self._chosen[kind]
        if class_id is not None:
            wrong = wrong & (judged.detections.class_ids == class_id)
            missed = missed & (judged.labels.class_ids == class_id)
        return int(np.count_nonzero(wrong) + np.count_nonzero(missed))


def _of_size(
    judgement: Judgement, bounds: tuple[float, float]
) -> tuple[Bool[np.ndarray, " D"], Bool[np.ndarray, " L"]]:
    """Detections and labels whose mistakes are of a size; both bounds are included."""
    areas_of_labels = judgement.labels.areas.astype(np.float64)
    areas = judgement.detections.areas.astype(np.float64)
    near = np.flatnonzero(np.isin(judgement.kinds, _WITH_A_LABEL))
    areas[near] = areas_of_labels[judgement.concerned[near]]
    return (
        (areas >= bounds[0]) & (areas <= bounds[1]),
        (areas_of_labels >= bounds[0]) & (areas_of_labels <= bounds[1]),
    )
