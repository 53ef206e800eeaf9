"""Settings of the deployment; in a module of their own, so that reading them is fast."""

from typing import Literal

from pydantic import Field, PositiveFloat, PositiveInt, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.deployment.latency_settings import LatencySettings
from etram_pipeline.labels.suppression import SuppressionSettings


class ParitySettings(Settings):
    """How closely an exported detector must follow the detector of its checkpoint.

    Attributes:
        windows: Windows that are compared, with the memory carried from each to the next.
        boxes_px: Largest difference of a corner before suppression, in px of the frame, among boxes
            that score at least `min_score`.
        kept_boxes_px: Largest difference of a corner of a detection, in px of the frame.
        scores: Largest difference of an objectness or a class score.
        kept_scores: Largest difference of the score of a detection.
        memories: Largest difference of a number that is remembered, relative to the largest number
            of that memory if this is above 1.
        min_score: A box that scores less before suppression is never shown; it may be of any size.
    """

    windows: PositiveInt = 100
    boxes_px: PositiveFloat = 0.01
    kept_boxes_px: PositiveFloat = 0.05
    scores: PositiveFloat = 1e-4
    kept_scores: PositiveFloat = 1e-4
    memories: PositiveFloat = 1e-3
    min_score: float = Field(default=0.001, ge=0, le=1)


class DeploySettings(Settings):
    """How a detector is exported, and how the exported file is checked.

    Attributes:
        splits: Splits whose recordings the file is checked with.
        height: Rows of the frames, in px of the representation; None: those of the histograms.
        width: Columns of the frames; None: those of the histograms.
        lanes: Number of recordings that the file computes at once; None: any number. On a CPU,
            several lanes take as long together as one after another.
        suppression: Thresholds that the file holds; whoever runs it may choose others.
        test_windows: Windows in the file, with what the detector finds in them, by which a device
            checks what it computes.
        parity: How the file is compared with the checkpoint.
        latency: What is measured of the file.
    """

    splits: tuple[Literal["train", "val", "test"], ...] = Field(default=("test",), min_length=1)
    height: PositiveInt | None = None
    width: PositiveInt | None = None
    lanes: PositiveInt | None = None
    suppression: SuppressionSettings = SuppressionSettings(score_threshold=0.1)
    test_windows: PositiveInt = 3
    parity: ParitySettings = ParitySettings()
    latency: LatencySettings = Field(default_factory=LatencySettings)

    @model_validator(mode="after")
    def _check_size(self) -> "DeploySettings":
        if (self.height is None) != (self.width is None):
            raise ValueError("set both deploy.height and deploy.width, or neither")
        return self
