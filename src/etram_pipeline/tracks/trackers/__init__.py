"""Trackers, online: each window continues, starts and ends tracks."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import ClassVar

from etram_pipeline.core.component import Component
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.table import TrackTable, empty_tracks


class Tracker(ABC):
    """Follows the road users of one recording, window by window.

    A tracker can be pickled between two windows. The copy continues as the original would.
    """

    @abstractmethod
    def update(self, time_us: int, detections: DetectionTable) -> TrackTable:
        """Advance to the next window.

        Args:
            time_us: End of the window in microseconds, later than that of the previous one.
            detections: What was detected in the window, in any order; their times are ignored.

        Returns:
            A row for each confirmed track that was detected in this window, in order of the
            tracks' ids. A track has the same id for as long as it lives, and no other track of the
            recording ever has that id.

        Raises:
            TrackingError: If the window does not end later than the previous one.
        """

    def earlier_rows(self) -> TrackTable:
        """Rows of earlier windows of those tracks that the last update confirmed.

        A track is confirmed by several detections. A live system does not know of it before; only
        those who look back add these rows.
        """
        return empty_tracks()


class TrackerConfig(Component):
    """Settings of a tracker; the names of those that are scores of detections end in `_score`."""

    package: ClassVar[str] = __name__
    default_kind: ClassVar[str | None] = "static_camera"

    def with_scaled_scores(self, scaled: Callable[[float], float]) -> "TrackerConfig":
        """The same tracker for detections whose scores were scaled.

        Args:
            scaled: Gives the score that stands for another after the scaling.
        """
        scores = [name for name in type(self).model_fields if name.endswith("_score")]
        return self.model_copy(update={name: scaled(getattr(self, name)) for name in scores})

    @abstractmethod
    def build(self, width: int, height: int, class_names: Sequence[str]) -> Tracker:
        """Make a tracker that has seen nothing yet.

        Args:
            width: Columns of the sensor, in px.
            height: Rows of the sensor, in px.
            class_names: Names of the classes, in the order of their ids.
        """
