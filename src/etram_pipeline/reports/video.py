"""Annotated recordings, made picture by picture."""

from collections.abc import Iterator, Sequence

import numpy as np

from etram_pipeline.core.progress import report_progress
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.events.polarity import saturation_of
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.shown_boxes import ShownBoxes
from etram_pipeline.reports.traffic.track_annotation import SiteAnnotator, TrackedView
from etram_pipeline.stores.representation_store import StoredRepresentations

_WINDOWS_PER_READ = 16


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
    boxes = ShownBoxes(frames, shown, labels)
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
                    frame=frames.drawn(frame),
                    recording=frames.key,
                    time_us=time_us,
                    detections=boxes.detected_at(time_us),
                    labels=boxes.labelled_at(time_us),
                    downsampled_by=frames.downsampled_by,
                )
            )


def _part_shown(
    frames: StoredRepresentations, boxes: ShownBoxes, settings: ReportSettings
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
    levels = [
        saturation_of(frames.drawn(frames.read(window, window + 1)[0]))
        for window in windows.tolist()
    ]
    return float(np.median(levels)) if levels else 1.0
