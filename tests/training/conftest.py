"""A detector small enough to train in a test, and recordings for it to learn."""

from collections.abc import Callable, Iterator
from typing import Literal

import numpy as np
import pytest
import torch
from jaxtyping import Float, Shaped
from torch import Tensor, nn
from torch.nn.functional import dropout, softplus
from typing_extensions import override

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.models.detector import Detector, Losses, State, reset_state
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint
from etram_pipeline.training.optimizers import adamw
from etram_pipeline.training.rate_schedules import one_cycle
from etram_pipeline.training.settings import (
    TrainSettings,
    ValidationSettings,
)

SIDE = 32
Record = Callable[..., LabelledRecordings]


class Follower(Detector):
    """Finds the one bright box of a window; its memory averages what it has seen.

    The memory of an erratic one suffers from chance of two generators while it learns.
    """

    def __init__(self, in_channels: int, *, erratic: bool) -> None:
        super().__init__()
        self.erratic = erratic
        self.stem = nn.Sequential(nn.Conv2d(in_channels, 8, 3, padding=1), nn.BatchNorm2d(8))
        self.head = nn.Linear(8 * 16, 4)
        self.seen_states: list[int] = []

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        self.seen_states.append(len(state))
        boxes, state = self._boxes(batch.frames, reset_state(state, batch.starts))
        found = boxes[batch.keyframes[:, 0], batch.keyframes[:, 1]]
        errors = [
            (box - target.boxes_xyxy[0]).abs().mean() / SIDE
            for box, target in zip(found, batch.targets, strict=True)
            if len(target.class_ids)
        ]
        loss = torch.stack(errors).mean() if errors else boxes.sum() * 0
        return {"box": loss, "num_targets": torch.tensor(float(len(errors)))}, state

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        boxes, state = self._boxes(batch.frames, reset_state(state, batch.starts))
        found = boxes[batch.keyframes[:, 0], batch.keyframes[:, 1]].clamp(0, SIDE)
        return [
            Detections(box[None], torch.zeros(1, dtype=torch.int64), torch.ones(1)) for box in found
        ], state

    def _boxes(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[Float[Tensor, "T B 4"], State]:
        memory = state[0] if state else torch.zeros(frames.shape[1], 8 * 16)
        boxes = []
        for window in frames:
            features = nn.functional.adaptive_avg_pool2d(self.stem(window.float()), 4).flatten(1)
            memory = 0.5 * memory + 0.5 * features
            left_top, size = self.head(memory).split(2, dim=1)
            boxes.append(torch.cat([left_top, left_top + softplus(size)], 1) * SIDE)
        if self.erratic and self.training:
            noise = np.random.random()  # noqa: NPY002, as libraries do
            memory = dropout(memory, 0.3) * (0.5 + noise)
        return torch.stack(boxes), (memory,)


class FollowerConfig(DetectorConfig):
    """Settings of the follower."""

    kind: Literal["follower"] = "follower"
    erratic: bool = False

    @override
    def build(self, in_channels: int, num_classes: int) -> Follower:
        return Follower(in_channels, erratic=self.erratic)


def _recording(seed: int, num_windows: int) -> tuple[RepresentationsInMemory, LabelledFrames]:
    """A bright box that wanders; every second window is labelled."""
    rng = np.random.default_rng(seed)
    images = np.zeros((num_windows, 2, SIDE, SIDE), np.uint8)
    path = np.cumsum(rng.integers(-2, 3, (num_windows, 2)), axis=0) + 8
    corners = path.clip(0, SIDE - 12)
    for image, (left, top) in zip(images, corners, strict=True):
        image[:, top : top + 12, left : left + 10] = 5
    stop_us = 50_000 * np.arange(1, num_windows + 1)
    frame_windows = np.arange(1, num_windows, 2)
    table = np.zeros(len(frame_windows), LABEL_DTYPE)
    table["t"] = stop_us[frame_windows]
    table["x"], table["y"] = corners[frame_windows].T
    table["w"], table["h"] = 10, 12
    labels = LabelledFrames(
        table, np.arange(len(table)), stop_us[frame_windows], interval_us=100_000
    )
    return RepresentationsInMemory(images, stop_us, frame_windows), labels


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Threads would cost more than such small computations take."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def record() -> Record:
    """Makes recordings: how many, and how many windows each has."""

    def make(count: int, num_windows: int = 24, first_seed: int = 0) -> LabelledRecordings:
        made = {
            f"train/r{seed}": _recording(seed, num_windows)
            for seed in range(first_seed, first_seed + count)
        }
        return LabelledRecordings(
            {name: frames for name, (frames, _) in made.items()},
            {name: labels for name, (_, labels) in made.items()},
        )

    return make


@pytest.fixture
def blueprint() -> Blueprint:
    return Blueprint(detector=FollowerConfig(), class_names=("box", "other"))


@pytest.fixture
def settings() -> TrainSettings:
    """Eight steps, validated every fourth."""
    return TrainSettings(
        max_steps=8,
        lanes=2,
        clip_length=4,
        workers=0,
        precision="32",
        accelerator="cpu",
        optimizer=adamw.Config(learning_rate=1e-2, schedule=one_cycle.Config(warmup=0.3)),
        validation=ValidationSettings(every_steps=4, lanes=2, protocol="coco"),
        checkpoint_every_steps=2,
        log_every_steps=1,
    )
