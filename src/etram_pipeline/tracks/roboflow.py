"""Trackers of the library `trackers`."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.checks import check_classes, check_order, is_usable
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.tracks.trackers import Tracker


class RoboflowTracker(Tracker):
    """Follows road users as a tracker of the library does; classes are those detected last."""

    def __init__(self, tracker: object, low_score: float, class_names: Sequence[str]) -> None:
        """Start without tracks.

        Args:
            tracker: The library's tracker.
            low_score: Least score of the detections that it is given.
            class_names: Names of the classes, in the order of their ids.
        """
        self._tracker: Any = tracker
        self._low_score = low_score
        self._class_names = tuple(class_names)
        self._first_us: int | None = None
        self._last_us: int | None = None

    @override
    def update(self, time_us: int, detections: DetectionTable) -> TrackTable:
        import supervision

        check_order(time_us, self._last_us)
        check_classes(detections, self._class_names)
        if self._first_us is None:
            self._first_us = time_us
        self._last_us = time_us
        found = detections[is_usable(detections) & (detections["score"] >= self._low_score)]
        found = found[np.lexsort([found[name] for name in ("class_id", *"hwyx", "score")])]
        corners = (found["x"], found["y"], found["x"] + found["w"], found["y"] + found["h"])
        tracked = self._tracker.update(
            supervision.Detections(
                xyxy=np.stack(corners, axis=1).astype(np.float32),
                confidence=found["score"].astype(np.float32),
                class_id=found["class_id"].astype(np.int64),
                data={"row": np.arange(len(found))},
            ),
            timestamp=(time_us - self._first_us) / 1e6,
        )
        if not len(tracked):
            return empty_tracks()
        ids, first = np.unique(tracked.tracker_id, return_index=True)
        rows = tracked.data["row"][first][ids >= 0]
        return _rows(time_us, found[rows], ids[ids >= 0] + 1)


def _rows(time_us: int, found: DetectionTable, ids: Int64[np.ndarray, " N"]) -> TrackTable:
    rows = empty_tracks(len(found))
    for name in ("x", "y", "w", "h", "class_id", "score"):
        rows[name] = found[name]
    rows["t"], rows["track_id"], rows["detected_class_id"] = time_us, ids, found["class_id"]
    return rows
