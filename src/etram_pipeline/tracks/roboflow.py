"""Trackers of the library `trackers`."""

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.checks import check_classes, check_order, is_usable
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.tracks.trackers import Tracker
from etram_pipeline.tracks.trackers.roboflow import Config

_CLASSES = {
    "sort": "SORTTracker",
    "bytetrack": "ByteTrackTracker",
    "ocsort": "OCSORTTracker",
    "cbiou": "CBIoUTracker",
}
_BUFFER_HZ = 30
"""Rate of the frames in which the library counts how long lost tracks are kept."""


class RoboflowTracker(Tracker):
    """Follows road users as a tracker of the library does; classes are those detected last."""

    def __init__(self, settings: Config, class_names: Sequence[str]) -> None:
        self._tracker: Any = _tracker(settings)
        self._low_score = settings.low_score
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


def _tracker(settings: Config) -> object:
    """The library's tracker; its classes differ in the arguments they take.

    Raises:
        SettingsError: If the library is missing, or an option is unknown.
    """
    try:
        import trackers
    except ModuleNotFoundError as error:
        raise SettingsError(
            f"track.tracker.kind roboflow needs {error.name}, which is not installed: "
            "pip install -e '.[trackers]'"
        ) from error
    make = getattr(trackers, _CLASSES[settings.algorithm])
    known = set(inspect.signature(make).parameters)
    for option in settings.options:
        if option not in known:
            raise SettingsError(unknown_name("option of the tracker", option, known))
    arguments: dict[str, object] = {
        "lost_track_buffer": round(settings.lost_s * _BUFFER_HZ),
        "frame_rate": settings.rate_hz,
        "track_activation_threshold": settings.high_score,
        "high_conf_det_threshold": settings.high_score,
        "minimum_consecutive_frames": settings.confirm_hits,
    }
    chosen = {
        name: value for name, value in arguments.items() if name in known and value is not None
    }
    made: object = make(**chosen | settings.options)
    return made
