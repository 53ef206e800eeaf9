"""A box of events that moves to the right, and a detector that finds it."""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import Detections, Targets
from etram_pipeline.core.recording import Recording
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.frame_detector import FrameDetector

HEIGHT, WIDTH = 64, 128
SPEED, SIDE = 150, 50  # px per second, px


ON_CPU = PredictSettings(device="cpu", lanes=2)
BY_COCO = EvaluateSettings.model_validate({"protocols": ["coco"]})


def encoding(kind: str = "label_aligned", step_ms: int = 50) -> EncodingSettings:
    return EncodingSettings.model_validate(
        {
            "windows": {"kind": kind, "step_ms": step_ms, "duration_ms": 50},
            "representation": {"kind": "stacked_histogram", "bins": 2, "downsample": None},
        }
    )


class FindsEvents(FrameDetector):
    """Detects the rectangle of all events of a window."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        return {}

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        return [self._find(frame) for frame in frames]

    def _find(self, frame: Tensor) -> Detections:
        y, x = (frame.sum(0) > 0).nonzero().unbind(1)
        box = [x.min(), y.min(), x.max() + 1, y.max() + 1] if len(x) else [torch.tensor(0)] * 4
        return Detections(torch.stack(box).float()[None], torch.tensor([0]), torch.tensor([0.5]))


def left_px(times_us: np.ndarray) -> np.ndarray:
    """Left border of the box that moves, at each time."""
    return -(-SPEED * times_us // 1_000_000)


def record(path: Path, seed: int) -> Recording:
    """Half a second of a box of 50 by 40 px that moves to the right, as a file."""
    rng = np.random.default_rng(seed)
    names = [("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")]
    events = np.zeros(100_000, names)
    events["t"] = np.sort(rng.integers(0, 500_000, len(events)))
    events["x"] = left_px(events["t"]) + rng.integers(0, SIDE, len(events))
    events["y"] = rng.integers(10, 50, len(events))
    events["p"] = rng.integers(0, 2, len(events))
    np.save(path, events)
    return open_recording(path, size=(HEIGHT, WIDTH))


def frames(start_us: int = 100_000) -> LabelledFrames:
    """A label every 50 ms, to the end of the recording."""
    times_us = np.arange(start_us, 500_001, 50_000)
    labels: LabelTable = np.zeros(len(times_us), LABEL_DTYPE)
    labels["t"], labels["x"], labels["y"] = times_us, left_px(times_us), 10
    labels["w"], labels["h"] = SIDE, 40
    return LabelledFrames(labels, np.arange(len(times_us)), times_us, 50_000)
