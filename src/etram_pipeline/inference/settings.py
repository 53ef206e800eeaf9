"""How to predict: parameters only, so that reading them imports nothing heavy."""

import re
from typing import Literal

from pydantic import Field, field_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.machine import Workers
from etram_pipeline.models.execution import Precision
from etram_pipeline.models.suppression import SuppressionSettings


class PredictSettings(Settings):
    """How a trained detector is run over recordings.

    Attributes:
        splits: Splits whose recordings are read.
        class_names: Names of the classes of a checkpoint that does not name them, as one of RVT, in
            the order of their ids. None: those of the dataset if it has as many, else numbers.
        windows: Detect at the labelled windows, or in every window.
        lanes: Recordings read side by side.
        clip_length: Windows handed to the detector at once.
        suppression: Which predictions become detections.
        device: Where the detector runs; `auto`: on a GPU where there is one.
        precision: Of the arithmetic; `auto`: as in training.
        workers: Processes that read clips; 0: a thread reads them; `auto`: as in training.
    """

    splits: tuple[Literal["train", "val", "test"], ...] = Field(default=("test",), min_length=1)
    class_names: tuple[str, ...] | None = Field(default=None, min_length=1)
    windows: Literal["labelled", "all"] = "labelled"
    lanes: int = Field(default=8, ge=1)
    clip_length: int = Field(default=5, ge=1)
    suppression: SuppressionSettings = SuppressionSettings()
    device: str = "auto"
    precision: Precision = "auto"
    workers: Workers = "auto"

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError(f"must be auto, cpu, cuda or cuda:<number>, not {device!r}")
        return device
