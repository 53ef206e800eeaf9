"""The tracker for static cameras, around its compiled loops."""

from collections.abc import Sequence

import numpy as np
from typing_extensions import override

from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.association import associate
from etram_pipeline.tracks.checks import check_classes, check_order
from etram_pipeline.tracks.life import live
from etram_pipeline.tracks.state import (
    FOUND_DTYPE,
    Records,
    no_tracks,
    with_free_places,
)
from etram_pipeline.tracks.table import TRACK_DTYPE, TrackTable, empty_tracks
from etram_pipeline.tracks.trackers import Tracker

_NUM_PLACES = 16


class StaticCameraTracker(Tracker):
    """Follows road users seen by an event camera that does not move.

    What stops vanishes from the events. A track that vanishes while it is slow, and slower than
    usual, therefore rests where it is; a new track that begins slowly on its box continues it. A
    track that vanishes while it moves coasts for a short time. Classes never decide which
    detection belongs to which track; the class of a track is a vote, weighted by scores.
    """

    def __init__(self, settings: Records, classes: Records, class_names: Sequence[str]) -> None:
        """Start without tracks.

        Args:
            settings: One record of the settings and the size of the sensor, see `Config` of the
                kind `static_camera`.
            classes: Group of each class by number, and whether its members rest.
            class_names: Names of the classes, in the order of their ids.
        """
        self._settings, self._classes = settings, classes
        self._class_names = tuple(class_names)
        self._confirm_hits = int(settings["confirm_hits"][0])
        self._state = no_tracks(_NUM_PLACES, len(classes), self._confirm_hits)
        self._time_us: int | None = None
        self._next_id = 1
        self._earlier = empty_tracks()

    @override
    def update(self, time_us: int, detections: DetectionTable) -> TrackTable:
        check_order(time_us, self._time_us)
        check_classes(detections, self._class_names)
        step_us = 0 if self._time_us is None else time_us - self._time_us
        self._state = with_free_places(self._state, len(detections))
        window = (int(time_us), int(step_us), _found(detections), np.full(len(detections), -1))
        state, rows = tuple(self._state), np.empty(len(detections), TRACK_DTYPE)
        earlier = np.empty(len(detections) * (self._confirm_hits - 1), TRACK_DTYPE)
        associate(window, state, self._settings)
        num_rows, num_earlier, self._next_id = live(
            window, state, self._settings, self._classes, (rows, earlier, self._next_id)
        )
        self._time_us, self._earlier = int(time_us), earlier[:num_earlier]
        return rows[:num_rows]

    @override
    def earlier_rows(self) -> TrackTable:
        return self._earlier


def _found(detections: DetectionTable) -> Records:
    """Detections as the compiled loops read them."""
    found = np.empty(len(detections), FOUND_DTYPE)
    for name in FOUND_DTYPE.names or ():
        found[name] = detections[name]
    return found
