"""What is told of one window: its boxes, and how old they are."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Integer
from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.table import TrackTable


class Box(Settings):
    """One box of a window.

    Attributes:
        x: Left side, in px of the sensor.
        y: Upper side, in px of the sensor.
        w: Width, in px of the sensor.
        h: Height, in px of the sensor.
        class_name: Name of the class; that of its track, if it belongs to one.
        class_id: Number of that class in the detector.
        score: Objectness times class probability, 0 to 1.
        track_id: The track that it belongs to; null if it belongs to none (yet).
    """

    x: float
    y: float
    w: float = Field(ge=0)
    h: float = Field(ge=0)
    class_name: str
    class_id: int = Field(ge=0)
    score: float = Field(ge=0, le=1)
    track_id: int | None = None


class WindowLine(Settings):
    """One line of `etram-live`: a window and its boxes.

    Attributes:
        t: End of the window on the sensor's clock, in microseconds: the time the boxes are for.
        boxes: Its boxes, best first.
        events: Events of the window that lay on the sensor.
        held: Whether the boxes are those of an earlier window, since this one has no event.
        skipped: Windows left out just before this one, because the detector was too slow.
        latency_ms: Milliseconds from the hand-over of its last event until its boxes were known.
    """

    t: int
    boxes: tuple[Box, ...]
    events: int = Field(ge=0)
    held: bool
    skipped: int = Field(ge=0)
    latency_ms: float = Field(ge=0)


@dataclass(frozen=True)
class ShownWindow:
    """A window as outputs show it.

    Attributes:
        line: Its boxes and what happened to it.
        detections: Rows of its boxes.
        tracks: Rows of those that belong to a track; None without a tracker.
        frame: What pictures show of its events (`RepresentationConfig.drawn`); None if it has none.
    """

    line: WindowLine
    detections: DetectionTable
    tracks: TrackTable | None
    frame: Integer[np.ndarray, "C H W"] | None
