"""Annotated recordings, made picture by picture."""

from collections.abc import Iterator, Sequence

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.progress import report_progress
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.events.polarity import saturation_of
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.traffic.track_annotation import SiteAnnotator, TrackedView
from etram_pipeline.stores.representation_store import StoredRepresentations

_WINDOWS_PER_READ = 16
_UNKNOWN_INTERVAL_US = 100_000


def annotate_recording(
    frames: StoredRepresentations,
    detections: DetectionTable,
    labels: LabelledFrames | None,
    class_names: Sequence[str],
    settings: ReportSettings,
    tracked: TrackedView | None = None,
) -> Iterator[RgbImage]:
    """Pictures of a recording's windows, with detections and ground truth, one at a time.

    Ground truth exists only at labelled frames and stays on the picture until the next of them is
    due. So do detections if the detector was run at labelled frames only; if it was run at all
    windows, each window shows its own.

    Args:
        frames: Representations of the recording.
        detections: Its detections, in px of the sensor; those below the threshold are not drawn.
        labels: Its ground truth; None draws none.
        class_names: Name of each class id.
        settings: What to show, and how much of it.
        tracked: Tracks and traffic, which are then drawn instead of detections.
    """
    saturation = _saturation(frames)
    if tracked is None:
        shown = detections[detections["score"] >= settings.drawn_score()]
        annotator = Annotator(class_names, settings.scale, saturation)
    else:
        shown = tracked.tracks
        annotator = SiteAnnotator(tracked, class_names, settings.scale, saturation)
    boxes = _ShownBoxes(frames, shown, labels)
    start, stop = _part_shown(frames, boxes, settings)
    for first in range(start, stop, _WINDOWS_PER_READ):
        for window, frame in enumerate(
            frames.read(first, min(first + _WINDOWS_PER_READ, stop)), start=first
        ):
            time_us = int(frames.stop_us[window])
            done, total = window - start, stop - start
            report_progress(f"picture {done + 1} of {total} of {frames.key}", done, total)
            yield annotator.draw(
                AnnotatedWindow(
                    frame=frame,
                    recording=frames.key,
                    time_us=time_us,
                    detections=boxes.detected_at(time_us),
                    labels=boxes.labelled_at(time_us),
                    downsampled_by=frames.downsampled_by,
                )
            )


class _ShownBoxes:
    """Detections and labels of a recording, looked up by time."""

    def __init__(
        self,
        frames: StoredRepresentations,
        detections: DetectionTable,
        labels: LabelledFrames | None,
    ) -> None:
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


def _part_shown(
    frames: StoredRepresentations, boxes: _ShownBoxes, settings: ReportSettings
) -> tuple[int, int]:
    """First and last window, excluded, of the part with most boxes that fits the playing time."""
    longest = frames.num_windows
    if settings.video_max_seconds is not None:
        longest = max(1, int(settings.video_max_seconds * settings.frames_per_second))
    if frames.num_windows <= longest:
        return 0, frames.num_windows
    boxes_before = np.concatenate([[0], boxes.count_until(frames.stop_us)])
    start = int(np.argmax(boxes_before[longest:] - boxes_before[:-longest]))
    return start, start + longest


def _saturation(frames: StoredRepresentations) -> float:
    """One strength for all pictures, the median over windows spread evenly over the recording."""
    windows = np.linspace(0, frames.num_windows - 1, num=min(9, frames.num_windows)).astype(int)
    levels = [saturation_of(frames.read(window, window + 1)[0]) for window in windows.tolist()]
    return float(np.median(levels)) if levels else 1.0
