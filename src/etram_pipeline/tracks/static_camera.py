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
    Record,
    Records,
    Window,
    no_tracks,
    with_free_places,
)
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.tracks.trackers import Tracker
from etram_pipeline.tracks.trackers.static_camera import Config

_IN_US = ("tentative", "coast", "rest", "rest_after")
_NUM_PLACES = 16


class StaticCameraTracker(Tracker):
    """Follows road users seen by an event camera that does not move.

    What stops vanishes from the events. A track that vanishes while it is slow, and slower than
    usual, therefore rests where it is; a new track that begins slowly on its box continues it. A
    track that vanishes while it moves coasts for a short time. Classes never decide which
    detection belongs to which track; the class of a track is a vote, weighted by scores.
    """

    def __init__(
        self, settings: Config, width: int, height: int, class_names: Sequence[str]
    ) -> None:
        self._settings = _settings_record(settings, width, height)
        self._classes = _class_records(settings, class_names)
        self._class_names = tuple(class_names)
        self._state = no_tracks(_NUM_PLACES, len(class_names), settings.confirm_hits)
        self._confirm_hits = settings.confirm_hits
        self._time_us: int | None = None
        self._next_id = 1
        self._earlier = empty_tracks()

    @override
    def update(self, time_us: int, detections: DetectionTable) -> TrackTable:
        check_order(time_us, self._time_us)
        check_classes(detections, self._class_names)
        step_us = 0 if self._time_us is None else time_us - self._time_us
        found = _found(detections)
        number = len(found)
        self._state = with_free_places(self._state, number)
        window = Window(int(time_us), int(step_us), found, np.full(number, -1))
        rows, earlier = empty_tracks(number), empty_tracks(number * (self._confirm_hits - 1))
        associate(window, self._state, self._settings)
        num_rows, num_earlier, self._next_id = live(
            window, self._state, self._settings, self._classes, (rows, earlier, self._next_id)
        )
        self._time_us, self._earlier = int(time_us), earlier[:num_earlier]
        return rows[:num_rows]

    @override
    def earlier_rows(self) -> TrackTable:
        return self._earlier


def _settings_record(settings: Config, width: int, height: int) -> Record:
    """Settings as the compiled loops read them."""
    values = settings.model_dump(exclude={"kind", "groups", "rest_groups"})
    whole = {f"{name}_us": round(values.pop(f"{name}_s") * 1e6) for name in _IN_US}
    whole |= {"confirm_hits": values.pop("confirm_hits"), "width": width, "height": height}
    types = [(name, "<f8") for name in values] + [(name, "<i8") for name in whole]
    record: np.void = np.array([(*values.values(), *whole.values())], types)[0]
    return record


def _class_records(settings: Config, class_names: Sequence[str]) -> Records:
    """Group of each class by number, and whether it rests."""
    groups = [settings.group(name) for name in class_names]
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    rows = [(numbers[group], group in settings.rest_groups) for group in groups]
    return np.array(rows, [("group", "<i8"), ("rests", "?")])


def _found(detections: DetectionTable) -> Records:
    """Detections as the compiled loops read them."""
    found = np.empty(len(detections), FOUND_DTYPE)
    for name in FOUND_DTYPE.names or ():
        found[name] = detections[name]
    return found
