"""Tables of what pictures show."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LABEL_DTYPE

Row = tuple[float, ...]


@pytest.fixture
def make_detections() -> Callable[..., DetectionTable]:
    """Makes detections of rows `t, x, y, w, h, class_id, score`."""

    def make(*rows: Row) -> DetectionTable:
        table = np.zeros(len(rows), DETECTION_DTYPE)
        columns = ("t", "x", "y", "w", "h", "class_id", "score")
        for name, column in zip(columns, zip(*rows, strict=True), strict=False):
            table[name] = column
        return table

    return make


@pytest.fixture
def make_labels() -> Callable[..., LabelledFrames]:
    """Makes labelled frames at `times_us` of rows `t, x, y, w, h, class_id`."""

    def make(times_us: Sequence[int], *rows: Row) -> LabelledFrames:
        table = np.zeros(len(rows), LABEL_DTYPE)
        columns = ("t", "x", "y", "w", "h", "class_id")
        for name, column in zip(columns, zip(*rows, strict=True), strict=False):
            table[name] = column
        times = np.array(times_us, dtype=np.int64)
        return LabelledFrames(table, np.searchsorted(table["t"], times), times, interval_us=100_000)

    return make
