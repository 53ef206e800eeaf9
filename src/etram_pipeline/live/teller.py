"""From what a stream found to what is told of it."""

from collections.abc import Sequence

import numpy as np

from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.live.window import Box, ShownWindow, WindowLine
from etram_pipeline.streaming.live import LiveResult
from etram_pipeline.tracks.checks import is_usable
from etram_pipeline.tracks.finishing import cut_at_border
from etram_pipeline.tracks.table import TrackTable

_PLACE = ("x", "y", "w", "h")


class Teller:
    """Chooses the boxes that are told and names them.

    Args:
        class_names: Name of each class id.
        size: Height and width of the sensor, in px; boxes are cut at its border.
        score: Least score of a box.
        representation: Of the windows; None: pictures show windows as they are.
    """

    def __init__(
        self,
        class_names: Sequence[str],
        size: tuple[int, int],
        score: float,
        representation: RepresentationConfig | None = None,
    ) -> None:
        self._class_names, self._size, self._score = tuple(class_names), size, score
        self._representation = representation

    def tell(self, found: LiveResult) -> ShownWindow:
        """What outputs show of one window."""
        result = found.result
        detections = self._told(result.detections)
        tracks = result.tracks
        if tracks is not None:
            tracks = tracks[tracks["score"] >= self._score]
        line = WindowLine(
            t=result.stop_us,
            boxes=_boxes(detections, tracks, self._class_names),
            events=result.num_events,
            held=result.is_held,
            skipped=found.num_skipped,
            latency_ms=round(found.latency_ms, 3),
        )
        frame = result.frame
        if frame is not None and self._representation is not None:
            frame = self._representation.drawn(frame)
        return ShownWindow(line, detections, tracks, frame)

    def _told(self, detections: DetectionTable) -> DetectionTable:
        told = detections[is_usable(detections) & (detections["score"] >= self._score)]
        height, width = self._size
        told = cut_at_border(told, width, height)
        return told[np.argsort(-told["score"], kind="stable")]


def _boxes(
    detections: DetectionTable, tracks: TrackTable | None, class_names: Sequence[str]
) -> tuple[Box, ...]:
    """Boxes of detections with the ids and classes of their tracks.

    Trackers repeat the boxes of detections as they are, which tells whose they are.
    """
    followed: dict[tuple[float, ...], tuple[int, int]] = {}
    if tracks is not None:
        places = tracks[[*_PLACE, "detected_class_id"]].tolist()
        followed = dict(zip(places, tracks[["track_id", "class_id"]].tolist(), strict=True))
    rows = detections[[*_PLACE, "class_id", "score"]].tolist()
    boxes = []
    for x, y, w, h, detected_id, score in rows:
        track_id, class_id = followed.get((x, y, w, h, detected_id), (None, detected_id))
        boxes.append(
            Box(
                x=round(x, 2),
                y=round(y, 2),
                w=round(w, 2),
                h=round(h, 2),
                class_name=class_names[class_id],
                class_id=class_id,
                score=round(min(score, 1.0), 4),
                track_id=track_id,
            )
        )
    return tuple(boxes)
