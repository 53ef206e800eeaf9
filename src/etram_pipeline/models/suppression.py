"""Which predictions become detections; free of torch, so that parameters can name it."""

from pydantic import Field

from etram_pipeline.core.component import Settings


class SuppressionSettings(Settings):
    """Which predictions become detections.

    Attributes:
        score_threshold: Least joint confidence, objectness times class score.
        iou_threshold: Overlap above which the weaker of two boxes of one class is dropped.
        max_detections: Most detections of one window, best first.
        class_agnostic: Whether a box also drops weaker boxes of other classes.
    """

    score_threshold: float = Field(default=0.001, ge=0, le=1)
    iou_threshold: float = Field(default=0.45, gt=0, le=1)
    max_detections: int = Field(default=300, ge=1)
    class_agnostic: bool = False
