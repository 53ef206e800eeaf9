"""Settings of the prediction; in a module of their own, so that reading them is fast."""

import re
from typing import Annotated, Literal

from pydantic import Field, field_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.machine import Workers
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.execution import Precision

Scale = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ViewSettings(Settings):
    """Views of each frame that a detector sees at test time; their detections are combined.

    Attributes:
        scales: Factors by which height and width of the frame are multiplied, one view each.
        mirror: Whether each of these views is also detected in mirrored, left and right exchanged.
    """

    scales: tuple[Scale, ...] = Field(default=(1.0,), min_length=1)
    mirror: bool = False

    @field_validator("scales")
    @classmethod
    def _check_scales(cls, scales: tuple[float, ...]) -> tuple[float, ...]:
        if len(set(scales)) < len(scales):
            raise ValueError(
                f"{list(scales)} repeats a scale, and would detect in the same view twice: "
                "list each scale once"
            )
        return scales

    @property
    def is_plain(self) -> bool:
        """Whether the frame itself is the only view."""
        return self == ViewSettings()


class PredictSettings(Settings):
    """How a trained detector runs over recordings.

    Attributes:
        splits: Splits to detect in.
        class_names: Class names, in the order of the class ids, for a checkpoint without names such
            as one of RVT. None: the names of the dataset if their number matches, else numbers.
        windows: Detect in labelled windows only, or in all windows.
        lanes: Number of recordings read in parallel.
        clip_length: Number of windows per call of the detector.
        suppression: Which predictions become detections.
        calibrated: Whether scores are scaled to probabilities, as fitted in the validation.
        augmentation: Views of each frame, for a detector without memory; by default, only one.
        runtime: Program that computes the detector. `torch`: PyTorch. `onnx`: ONNX Runtime on the
            CPU, in single precision; the detector is exported once for a size of frames, compared
            with PyTorch, and kept. `auto`: on a CPU, whichever takes less time for a window, if
            exporting repays; else PyTorch.
        device: Device of the detector; `auto`: a GPU if there is one, else the CPU.
        precision: Numerical precision; `auto`: as in training.
        workers: Processes that read clips; 0: a thread reads them; `auto`: as in training.
    """

    splits: tuple[Literal["train", "val", "test"], ...] = Field(default=("test",), min_length=1)
    class_names: tuple[str, ...] | None = Field(default=None, min_length=1)
    windows: Literal["labelled", "all"] = "labelled"
    lanes: int = Field(default=8, ge=1)
    clip_length: int = Field(default=5, ge=1)
    suppression: SuppressionSettings = SuppressionSettings()
    calibrated: bool = Field(default=False, exclude_if=lambda value: not value)
    augmentation: ViewSettings = Field(
        default=ViewSettings(), exclude_if=lambda value: value.is_plain
    )
    runtime: Literal["torch", "onnx", "auto"] = Field(
        default="torch", exclude_if=lambda value: value == "torch"
    )
    device: str = "auto"
    precision: Precision = "auto"
    workers: Workers = "auto"

    @field_validator("device")
    @classmethod
    def _check_device(cls, device: str) -> str:
        if not re.fullmatch(r"auto|cpu|cuda(:\d+)?", device):
            raise ValueError(f"must be auto, cpu, cuda or cuda:<number>, not {device!r}")
        return device
