"""Windows as outputs show them."""

import numpy as np

from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.live.stage import Stage
from etram_pipeline.live.window import Box, ShownWindow, WindowLine
from etram_pipeline.tracks.table import empty_tracks

STAGE = Stage(
    detector="detector.onnx",
    source="street.raw",
    size=(40, 64),
    frame_size=(20, 32),
    downsampled_by=2,
    step_us=50_000,
    class_names=("car", "tram"),
)

BOX = Box(x=10, y=10, w=20, h=16, class_name="tram", class_id=1, score=0.87, track_id=3)
"""A tram in px of the sensor of `STAGE`."""


def frame() -> np.ndarray:
    """A histogram of one part: a column with rising events, and beside it one with falling ones."""
    image = np.zeros((2, 20, 32), np.uint8)
    image[1, :, 1] = 4
    image[0, :, 2] = 4
    return image


def window(number: int, *boxes: Box, skipped: int = 0, tracked: bool = False) -> ShownWindow:
    """The window of a number, from 1."""
    line = WindowLine(
        t=50_000 * number,
        boxes=boxes,
        events=160,
        held=False,
        skipped=skipped,
        latency_ms=40.0,
    )
    detections = np.zeros(len(boxes), DETECTION_DTYPE)
    tracks = empty_tracks(len(boxes))
    for row, box in enumerate(boxes):
        for table in (detections, tracks):
            table["t"] = line.t
            for name in ("x", "y", "w", "h", "class_id", "score"):
                table[name][row] = getattr(box, name)
        tracks["track_id"][row] = box.track_id or 0
    return ShownWindow(line, detections, tracks if tracked else None, frame())
