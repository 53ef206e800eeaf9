"""Annotated recordings as MP4 files that browsers play, made picture by picture."""

import itertools
import logging
from collections.abc import Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np
from av.container import OutputContainer
from av.video.stream import VideoStream
from jaxtyping import Int64

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.progress import report_progress
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.reports.annotation import AnnotatedWindow, Annotator
from etram_pipeline.reports.render import RgbImage, saturation_of
from etram_pipeline.reports.settings import ReportSettings
from etram_pipeline.reports.traffic.track_annotation import TrackAnnotator, TrackedView
from etram_pipeline.stores.representation_store import StoredRepresentations

logger = logging.getLogger(__name__)

_ENCODERS = (
    ("libx264", {"crf": "28", "preset": "veryfast"}),
    ("libopenh264", {"b": "4M"}),
    ("mpeg4", {"b": "8M"}),
)
"""Encoders in order of preference, with their quality; browsers do not play the last."""

_WINDOWS_PER_READ = 16
_UNKNOWN_INTERVAL_US = 100_000


def write_video(path: Path, images: Iterator[RgbImage], frames_per_second: float | int) -> None:
    """Write pictures as an MP4, one at a time, so that memory does not grow with their number.

    The first picture sets the size. Odd heights and widths, which the format cannot hold, get one
    more row or column that repeats the last. The file is whole or absent, whatever happens.

    Args:
        path: The file; replaced if it is there.
        images: Pictures of one size.
        frames_per_second: Speed of playing.

    Raises:
        ValueError: If there is no picture, a picture differs in size, or the rate is not positive.
    """
    if frames_per_second <= 0:
        raise ValueError(f"frames_per_second must be positive, found {frames_per_second}")
    first = next(images, None)
    if first is None:
        raise ValueError(f"no picture to write to {path}")
    with (
        written_whole(path) as partial,
        av.open(partial, "w", format="mp4", options={"movflags": "+faststart"}) as container,
    ):
        stream = _add_stream(container, first, frames_per_second)
        for number, image in enumerate(itertools.chain([first], images)):
            if image.shape != first.shape:
                raise ValueError(
                    f"picture {number} of {path} has shape {image.shape}, the first {first.shape}"
                )
            container.mux(stream.encode(_even_frame(image)))
        container.mux(stream.encode(None))


def read_picture(path: Path, share: float = 0.4) -> RgbImage:
    """One picture of a video, at `share` of its length.

    Raises:
        ValueError: If the file holds no picture.
    """
    with av.open(path) as container:
        stream = container.streams.video[0]
        wanted = int(share * (stream.frames - 1))
        for number, frame in enumerate(container.decode(stream)):
            if number >= wanted:
                return frame.to_ndarray(format="rgb24")
    raise ValueError(f"{path} holds no picture")


def _add_stream(
    container: OutputContainer, first: RgbImage, frames_per_second: float | int
) -> VideoStream:
    name, options = next(
        (encoder for encoder in _ENCODERS if encoder[0] in av.codecs_available), _ENCODERS[-1]
    )
    if name == "mpeg4":
        logger.warning("this build of PyAV has no H.264 encoder: browsers may not play the video")
    rate = Fraction(frames_per_second).limit_denominator(1001)
    stream = cast("VideoStream", container.add_stream(name, rate=rate, options=options))
    height, width = first.shape[:2]
    stream.height, stream.width = height + height % 2, width + width % 2
    stream.pix_fmt = "yuv420p"
    return stream


def _even_frame(image: RgbImage) -> av.VideoFrame:
    height, width = image.shape[:2]
    padding = ((0, height % 2), (0, width % 2), (0, 0))
    even = np.pad(image, padding, mode="edge") if height % 2 or width % 2 else image
    return av.VideoFrame.from_ndarray(np.ascontiguousarray(even), format="rgb24")


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
        annotator = TrackAnnotator(tracked, class_names, settings.scale, saturation)
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
        interval_us = 0 if labels is None else labels.interval_us
        self._interval_us = interval_us or _UNKNOWN_INTERVAL_US
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
