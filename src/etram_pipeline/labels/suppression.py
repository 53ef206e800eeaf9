"""Which predictions become detections."""

from pydantic import Field

from etram_pipeline.core.component import Settings

HIGHEST_THRESHOLD_FOR_AP = 0.001
"""Score threshold above which average precision is too low: it also counts weak detections."""


class SuppressionSettings(Settings):
    """Which predictions become detections.

    Attributes:
        score_threshold: Lowest score of a detection (objectness times class score, if it has both).
        iou_threshold: Overlap above which the weaker of two boxes of one class is dropped.
        max_detections: Maximum number of detections in one window; the best are kept.
        class_agnostic: Whether a box also drops weaker boxes of other classes.
    """

    score_threshold: float = Field(default=HIGHEST_THRESHOLD_FOR_AP, ge=0, le=1)
    iou_threshold: float = Field(default=0.45, gt=0, le=1)
    max_detections: int = Field(default=300, ge=1)
    class_agnostic: bool = False
