"""Detections and labels of a recording, as they are shown on its windows."""

import numpy as np
from jaxtyping import Int64

from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.stores.representation_store import StoredRepresentations

_UNKNOWN_INTERVAL_US = 100_000


class ShownBoxes:
    """Detections and labels of a recording, looked up by time."""

    def __init__(
        self,
        frames: StoredRepresentations,
        detections: DetectionTable,
        labels: LabelledFrames | None,
    ) -> None:
        """Show detections and, unless they are None, labels."""
        self._detections = detections[np.argsort(detections["t"], kind="stable")]
        self._labels = labels
        self._predicted_us = frames.stop_us[frames.frame_windows]
        self._interval_us = _interval_us(labels)
        at_labelled_only = np.isin(self._detections["t"], self._predicted_us).all()
        self._holds_detections = at_labelled_only and len(self._predicted_us) < frames.num_windows

    def detected_at(self, time_us: int) -> DetectionTable:
        """Detections to draw on the window that ends at `time_us`."""
        if self._holds_detections:
            frame = self._latest(self._predicted_us, time_us)
            time_us = time_us if frame is None else int(self._predicted_us[frame])
        first, last = np.searchsorted(self._detections["t"], [time_us, time_us + 1])
        return self._detections[first:last]

    def labelled_at(self, time_us: int) -> LabelTable | None:
        """Labels to draw on the window that ends at `time_us`."""
        if self._labels is None:
            return None
        frame = self._latest(self._labels.times_us, time_us)
        return None if frame is None else self._labels[frame]

    def count_until(self, times_us: Int64[np.ndarray, " W"]) -> Int64[np.ndarray, " W"]:
        """Labels, or without them detections, up to and including each time."""
        if self._labels is None:
            return np.searchsorted(self._detections["t"], times_us, side="right")
        frames = np.searchsorted(self._labels.times_us, times_us, side="right")
        return np.append(self._labels.first_label, len(self._labels.labels))[frames]

    def _latest(self, frame_times_us: Int64[np.ndarray, " F"], time_us: int) -> int | None:
        """The latest frame, unless the next one would have been due by now."""
        frame = int(np.searchsorted(frame_times_us, time_us, side="right")) - 1
        is_due = frame < 0 or time_us - frame_times_us[frame] >= self._interval_us
        return None if is_due else frame


def _interval_us(labels: LabelledFrames | None) -> int:
    """How long labels stay on the picture: the usual time until the next labelled frame."""
    if labels is None:
        return _UNKNOWN_INTERVAL_US
    gaps_us = np.diff(labels.times_us)
    usual_us = int(np.median(gaps_us)) if len(gaps_us) else _UNKNOWN_INTERVAL_US
    return labels.interval_us or usual_us
