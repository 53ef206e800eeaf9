"""A metric that somebody adds as one file: the error of the number of boxes."""

from typing import ClassVar, Literal

import numpy as np
from typing_extensions import override

from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH, Measured, MetricConfig, Value
from etram_pipeline.evaluation.protocol import Protocol


class Config(MetricConfig):
    """Mean absolute difference between the numbers of detected and labelled boxes of a frame.

    Attributes:
        least_score: Least score of a detection that is counted.
        of: Whether boxes or their px² are counted.
    """

    kind: Literal["count_error"] = "count_error"
    title: ClassVar[str] = "count error"
    least_score: float = 0.5
    of: Literal["boxes", "area"] = "boxes"

    @override
    def declare(self, protocol: Protocol) -> tuple[Value, ...]:
        meaning = "Boxes too many or too few."
        return (Value("count_error", "count error", meaning, higher_is_better=False),)

    @override
    def measure(self, evidence: Evidence) -> Measured:
        frames = evidence.frames
        sure = frames.detections.take(frames.detections.scores >= self.least_score)
        found, true = (
            np.bincount(
                boxes.frames,
                weights=None if self.of == "boxes" else boxes.areas,
                minlength=len(frames),
            )
            for boxes in (sure, frames.labels)
        )
        error = float(np.abs(found - true).mean()) if len(frames) else NO_GROUND_TRUTH
        return Measured({"count_error": error})

    @override
    def facts(self, protocol: Protocol) -> tuple[str, ...]:
        return (f"Boxes with a score of {self.least_score:g} or more are counted.",)
