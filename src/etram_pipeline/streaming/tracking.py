"""Tracks of a stream, window by window."""

from collections.abc import Sequence

import numpy as np

from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.checks import is_usable
from etram_pipeline.tracks.finishing import cut_at_border
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.tracks.trackers import Tracker, TrackerConfig

_MOST_IDS = 2**16


class StreamTracker:
    """Follows road users as `track_recording` with `online: true` does, without knowing the end.

    Ids count from 1 in order of appearance and are never used again, even after a new clock. Of
    more than 65,536 tracks only those seen last keep theirs.

    Args:
        config: The tracker.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        class_names: Names of the classes, in the order of their ids.
    """

    def __init__(
        self, config: TrackerConfig, height: int, width: int, class_names: Sequence[str]
    ) -> None:
        self._config, self._size = config, (width, height)
        self._class_names = tuple(class_names)
        self._num_ids = 0
        self.restart()

    def restart(self) -> None:
        """End all tracks; the clock begins anew."""
        self._tracker: Tracker = self._config.build(*self._size, self._class_names)
        self._ids: dict[int, int] = {}

    def update(self, stop_us: int, detections: DetectionTable) -> TrackTable:
        """Rows of the tracks that are seen in a window, in order of their ids.

        Args:
            stop_us: End of the window in microseconds, later than that of the previous one.
            detections: What was detected in it.
        """
        found = self._tracker.update(stop_us, detections[is_usable(detections)])
        table = cut_at_border(found, *self._size)
        table["track_id"] = [self._numbered(number) for number in table["track_id"].tolist()]
        return table[np.argsort(table["track_id"], kind="stable")]

    def _numbered(self, tracker_id: int) -> int:
        number = self._ids.pop(tracker_id, 0)
        if not number:
            self._num_ids += 1
            number = self._num_ids
        self._ids[tracker_id] = number  # at the end: the first ones were not seen for longest
        if len(self._ids) > _MOST_IDS:
            del self._ids[next(iter(self._ids))]
        return number
