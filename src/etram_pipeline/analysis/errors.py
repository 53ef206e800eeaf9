"""Mistakes of a detector one by one, each with what it costs.

judgement = judge_evidence(evidence)                    # evidence of one protocol
mistakes = find_mistakes(evidence, judgement)           # columns, one row per mistake
mistakes.table(evidence)                                # the same with names, for a CSV file
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64, Int8, Int64, Shaped

from etram_pipeline.analysis.judgement import BACKGROUND_IOU, KINDS, NO_LABEL, Judgement, judge
from etram_pipeline.analysis.repairs import Precision
from etram_pipeline.evaluation.evidence import Evidence

_LABEL_SIDES = ("label_x", "label_y", "label_w", "label_h")

ANY_CLASS = "any"
"""Name of all classes together, by a protocol that does not tell them apart."""


def judge_evidence(evidence: Evidence, background_iou: float = BACKGROUND_IOU) -> Judgement:
    """What is wrong with each detection; of all classes as one if the protocol ignores them."""
    protocol = evidence.protocol
    if not protocol.class_aware:
        return judge(evidence.frames.without_classes(), 1, protocol, background_iou)
    return judge(evidence.frames, len(evidence.class_names), protocol, background_iou)


def judged_classes(evidence: Evidence) -> tuple[str, ...]:
    """Names of the classes of `judge_evidence`."""
    return evidence.class_names if evidence.protocol.class_aware else (ANY_CLASS,)


@dataclass(frozen=True)
class Mistakes:
    """Every wrong detection and every missed label, in no order.

    Attributes:
        kinds: Positions in `KINDS`.
        frames: Frame of each, as a position in `evidence.frames`.
        recordings: Recording of each, as a position in `evidence.recordings`.
        times_us: Time of the frame, in microseconds.
        class_ids: Class detected, or that of the missed label; positions in `judged_classes`.
        scores: Score by which the detection is ranked; NaN for missed labels.
        boxes_xywh: Box detected, or that of the missed label, in px of the sensor.
        label_rows: Row of the label concerned in `evidence.labels` of the recording, or `NO_LABEL`.
        label_class_ids: Class of the label concerned, or `NO_LABEL`.
        label_boxes_xywh: Box of the label concerned in px of the sensor, NaN if there is none.
        costs: Share of what repairing all mistakes of this kind would add to average precision at
            the overlap judged; `Precision.costs` says how it is divided. 0: it costs nothing, such
            as a wrong detection after all right ones.
    """

    kinds: Int8[np.ndarray, " M"]
    frames: Int64[np.ndarray, " M"]
    recordings: Int64[np.ndarray, " M"]
    times_us: Int64[np.ndarray, " M"]
    class_ids: Int64[np.ndarray, " M"]
    scores: Float64[np.ndarray, " M"]
    boxes_xywh: Float32[np.ndarray, "M 4"]
    label_rows: Int64[np.ndarray, " M"]
    label_class_ids: Int64[np.ndarray, " M"]
    label_boxes_xywh: Float32[np.ndarray, "M 4"]
    costs: Float64[np.ndarray, " M"]

    def __len__(self) -> int:
        return len(self.kinds)

    def table(self, evidence: Evidence) -> dict[str, Shaped[np.ndarray, " M"]]:
        """Columns with names instead of positions, the costliest mistake first.

        Args:
            evidence: The evidence that they were found in.
        """
        order = np.argsort(-self.costs, kind="stable")
        names = np.array([*judged_classes(evidence), ""], dtype=object)
        columns = {
            "recording": np.array(evidence.recordings, dtype=object)[self.recordings],
            "time_us": self.times_us,
            "kind": np.array(KINDS, dtype=object)[self.kinds],
            "class": names[self.class_ids],
            "label_class": names[self.label_class_ids],
            "score": self.scores,
            **dict(zip("xywh", self.boxes_xywh.T, strict=True)),
            **dict(zip(_LABEL_SIDES, self.label_boxes_xywh.T, strict=True)),
            "label_row": self.label_rows,
            "cost": self.costs,
        }
        return {name: column[order] for name, column in columns.items()}


def find_mistakes(evidence: Evidence, judgement: Judgement) -> Mistakes:
    """All mistakes, with what each costs.

    Args:
        evidence: Labels and detections.
        judgement: What `judge_evidence` found in them.
    """
    precision = Precision.of(judgement)
    detection_costs = np.zeros(len(judgement.detections))
    label_costs = np.zeros(len(judgement.labels))
    for kind in KINDS:
        of_detections, of_labels = precision.costs(kind)
        detection_costs += of_detections
        label_costs += of_labels
    wrong = np.flatnonzero(~judgement.is_right)
    missed = np.flatnonzero(judgement.is_missed)
    detections, labels = judgement.detections.take(wrong), judgement.labels.take(missed)
    concerned = np.concatenate([judgement.concerned[wrong], missed])
    frames = np.concatenate([detections.frames, labels.frames])
    scale = np.float32(evidence.protocol.pixel_scale)
    rows = judgement.labels.rows
    return Mistakes(
        kinds=np.append(judgement.kinds[wrong], np.full(len(missed), _MISSED, np.int8)),
        frames=frames,
        recordings=evidence.frames.recordings[frames],
        times_us=evidence.frames.times_us[frames],
        class_ids=np.concatenate([detections.class_ids, labels.class_ids]),
        scores=np.concatenate([detections.scores, np.full(len(missed), np.nan)]),
        boxes_xywh=np.concatenate([detections.boxes_xywh, labels.boxes_xywh]) / scale,
        label_rows=_of_labels(rows, concerned, NO_LABEL),
        label_class_ids=_of_labels(judgement.labels.class_ids, concerned, NO_LABEL),
        label_boxes_xywh=_of_labels(judgement.labels.boxes_xywh / scale, concerned, np.nan),
        costs=np.concatenate([detection_costs[wrong], label_costs[missed]]),
    )


_MISSED = KINDS.index("missed")


def _of_labels(
    column: Shaped[np.ndarray, "L ..."] | None,
    labels: Int64[np.ndarray, " M"],
    missing: int | float,
) -> Shaped[np.ndarray, "M ..."]:
    """A column of the labels concerned; `missing` where there is none."""
    if column is None:
        raise ValueError("labels that are judged must know their rows in the tables")
    lacking = np.full((1, *column.shape[1:]), missing, column.dtype)
    concerned: Shaped[np.ndarray, "M ..."] = np.concatenate([column, lacking])[labels]
    return concerned
