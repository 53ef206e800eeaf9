"""A recording in memory, and boxes for it."""

from collections.abc import Callable

import numpy as np
import pytest

from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE

MakeLabels = Callable[[list[list[tuple[float, ...]]]], LabelledFrames]


@pytest.fixture
def recording() -> RepresentationsInMemory:
    """Twelve windows of 64 x 48 px, half the sensor's size; every second one is labelled."""
    images = np.random.default_rng(0).integers(0, 9, (12, 4, 48, 64), np.uint8)
    stop_us = 50_000 * np.arange(1, 13)
    return RepresentationsInMemory(images, stop_us, np.arange(1, 12, 2), downsampled_by=2)


@pytest.fixture
def labels_of(recording: RepresentationsInMemory) -> MakeLabels:
    """Makes labels of the recording from boxes of each frame: left, top, width, height, class."""

    def make(frames: list[list[tuple[float, ...]]]) -> LabelledFrames:
        boxes = [box for frame in frames for box in frame]
        table = np.zeros(len(boxes), LABEL_DTYPE)
        for column, values in zip(
            ("x", "y", "w", "h", "class_id"), zip(*boxes, strict=True), strict=True
        ):
            table[column] = values
        first_label = np.cumsum([0, *(len(frame) for frame in frames[:-1])])
        times_us = recording.stop_us[recording.frame_windows][: len(frames)]
        table["t"] = np.repeat(times_us, [len(frame) for frame in frames])
        return LabelledFrames(table, first_label, times_us, interval_us=100_000)

    return make
