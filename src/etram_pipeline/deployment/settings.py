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
        boxes_px: Largest difference of a corner, in px, of all boxes before suppression that score
            at least `min_score`, and of all boxes after it.
        scores: Largest difference of an objectness, a class score or a detection's score.
        memories: Largest difference of a number that is remembered, relative to the largest number
            in that memory, or absolute where all are below 1.
        min_score: Lowest score of the boxes that are compared before suppression. A box of a lower
            score is never seen, and its size may be any number.
    """

    windows: PositiveInt = 100
    boxes_px: PositiveFloat = 0.01
    scores: PositiveFloat = 1e-4
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
