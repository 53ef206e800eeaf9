"""Events in, detections and tracks out, in one thread."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Integer

from etram_pipeline.core.boxes import xyxy_to_xywh
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.cutter import JUMP_US, CutWindow, WindowCutter
from etram_pipeline.streaming.selection import Found, select
from etram_pipeline.streaming.tracking import StreamTracker
from etram_pipeline.streaming.window_model import WindowModel
from etram_pipeline.tracks.table import TrackTable, empty_tracks
from etram_pipeline.tracks.trackers import TrackerConfig

HOLD = 5
"""Windows without an event for which the last detections are repeated."""

_NOTHING = np.empty(0, DETECTION_DTYPE)


@dataclass(frozen=True)
class WindowResult:
    """What is known at the end of one window.

    Attributes:
        stop_us: End of the window in microseconds of the sensor's clock: the time of the boxes.
        detections: Table of `DETECTION_DTYPE`, best first, in px of the sensor.
        tracks: Table of `TRACK_DTYPE`, in order of the ids; None without a tracker.
        num_events: Events in the window.
        is_held: Whether no event came, so that nothing was detected: the tables are those of an
            earlier window, or empty if that is too long ago.
        is_start: Whether the window has nothing to do with the one before.
        frame: The representation of the window, if it is to be kept; else None.
    """

    stop_us: int
    detections: DetectionTable
    tracks: TrackTable | None
    num_events: int
    is_held: bool = False
    is_start: bool = False
    frame: Integer[np.ndarray, "C H W"] | None = None


@dataclass
class StreamCounts:
    """What became of windows.

    Attributes:
        num_detected: Windows in which was detected.
        num_held: Windows without an event, for which earlier boxes or none were told.
        num_forgotten: How often the memory was emptied other than at a start, since too much time
            was missing.
    """

    num_detected: int = 0
    num_held: int = 0
    num_forgotten: int = 0


class DetectionStream:
    """Detects in the windows of a stream; whoever pushes events waits for their windows.

    A window without a single event says that a camera or cable is at fault, not that the street is
    empty: shown to a detector, it would take all boxes away. It is not shown, and the last boxes
    are told again for some windows, marked as held. After these there are none, and the memory is
    emptied.

    Args:
        model: The detector; its memory is emptied, and carried on from window to window.
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        suppression: Which predictions become detections; None: as the detector's file says.
        tracker: Follows the detections; None: they are not followed.
        hold: Windows without an event for which boxes are repeated; 0 shows every window to the
            detector, as is done with stored recordings.
        jump_us: See `WindowCutter`.
        keep_frames: Whether results have the representation of their window.

    Attributes:
        cutter: Cuts the windows.
        counts: What became of them.

    Raises:
        SettingsError: If the detector was exported for another size of sensor, or has windows that
            a stream cannot have.
        ValueError: If `hold` is negative.
    """

    def __init__(  # noqa: PLR0913  # one argument per choice of the user
        self,
        model: WindowModel,
        height: int,
        width: int,
        *,
        suppression: SuppressionSettings | None = None,
        tracker: TrackerConfig | None = None,
        hold: int = HOLD,
        jump_us: int | None = JUMP_US,
        keep_frames: bool = False,
    ) -> None:
        if hold < 0:
            raise ValueError(f"hold must be 0 or more windows; got {hold}")
        self._model, self._suppression = model, suppression
        self._hold, self._keep_frames = hold, keep_frames
        self._check_size(height, width)
        encoding = model.description.encoding
        self.cutter = WindowCutter(encoding, height, width, jump_us=jump_us)
        self._tracker_config = tracker
        self._tracker = self._new_tracker()
        self.counts = StreamCounts()
        self._last: WindowResult | None = None
        self._num_silent = 0
        model.reset()

    def push(self, chunk: Chunk) -> Iterator[WindowResult]:
        """Results of the windows that a chunk completes, see `WindowCutter.push`.

        All of them must be taken before the next chunk.
        """
        return self._detect_all(self.cutter.push(chunk))

    def advance(self, until_us: int) -> Iterator[WindowResult]:
        """Results of the windows that end before a time, see `WindowCutter.advance`."""
        return self._detect_all(self.cutter.advance(until_us))

    def finish(self) -> Iterator[WindowResult]:
        """Results of the windows that have begun when the stream ends; another one may follow."""
        return self._detect_all(self.cutter.finish())

    def detect(self, window: CutWindow) -> WindowResult:
        """The result of the next window of `cutter`, which is released."""
        if window.is_start:
            self._start()
        if self._hold and window.is_silent:
            result = self._repeated(window)
        else:
            result = self._detected(window)
        if self._keep_frames:
            return replace(result, frame=window.image)
        window.release()
        return result

    def forget(self) -> None:
        """Empty the memory: the next window is too long after the last one."""
        self._model.reset()
        self.counts.num_forgotten += 1

    def warm_up(self) -> None:
        """Compute everything once, so that the first window takes no longer than the others."""
        description, (height, width) = self._model.description, self.cutter.size
        spare = WindowCutter(description.encoding, height, width)
        event = np.zeros(1, [("x", "<u2"), ("y", "<u2"), ("t", "<i8"), ("p", "u1")])
        for window in (*spare.push(event), *spare.finish()):
            raw, _ = self._model.run(window.image[None], ())
            (found,) = select(raw, description, self._suppression)
            tracker = self._new_tracker()
            if tracker is not None:
                tracker.update(0, as_table(found, 0, description.downsampled_by))

    def _detect_all(self, windows: Iterable[CutWindow]) -> Iterator[WindowResult]:
        for window in windows:
            yield self.detect(window)

    def _new_tracker(self) -> StreamTracker | None:
        if self._tracker_config is None:
            return None
        names = self._model.description.class_names
        return StreamTracker(self._tracker_config, *self.cutter.size, names)

    def _start(self) -> None:
        self._model.reset()
        self._last, self._num_silent = None, 0
        if self._tracker is not None:
            self._tracker.restart()

    def _detected(self, window: CutWindow) -> WindowResult:
        description = self._model.description
        raw = self._model.step(window.image[None])
        (found,) = select(raw, description, self._suppression)
        table = as_table(found, window.stop_us, description.downsampled_by)
        tracker = self._tracker
        self._last = WindowResult(
            stop_us=window.stop_us,
            detections=table,
            tracks=None if tracker is None else tracker.update(window.stop_us, table),
            num_events=window.num_events,
            is_start=window.is_start,
        )
        self._num_silent = 0
        self.counts.num_detected += 1
        return self._last

    def _repeated(self, window: CutWindow) -> WindowResult:
        self._num_silent += 1
        self.counts.num_held += 1
        if self._num_silent == self._hold + 1:
            self.forget()
            self._last = None
        tracks = None if self._tracker is None else empty_tracks()
        last = self._last or WindowResult(0, _NOTHING, tracks, 0)
        return replace(
            last,
            stop_us=window.stop_us,
            detections=_at(last.detections, window.stop_us),
            tracks=None if last.tracks is None else _at(last.tracks, window.stop_us),
            num_events=window.num_events,
            is_held=True,
            is_start=window.is_start,
        )

    def _check_size(self, height: int, width: int) -> None:
        description = self._model.description
        wanted = description.frames.height, description.frames.width
        found = description.encoding.representation.image_size(height, width)
        if found != wanted:
            factor = description.downsampled_by
            raise SettingsError(
                f"a sensor of {height} x {width} px gives frames of {found[0]} x {found[1]}, but "
                f"the detector was exported for frames of {wanted[0]} x {wanted[1]}, those of a "
                f"sensor of {factor * wanted[0]} x {factor * wanted[1]} px: export it for this "
                "sensor"
            )


def as_table(found: Found, stop_us: int, downsampled_by: int) -> DetectionTable:
    """Detections of a window as rows of `DETECTION_DTYPE`, in px of the sensor."""
    table = np.zeros(len(found.scores), DETECTION_DTYPE)
    boxes_xywh = xyxy_to_xywh(found.boxes_xyxy * np.float32(downsampled_by))
    for column, values in zip("xywh", boxes_xywh.T, strict=True):
        table[column] = values
    table["t"], table["class_id"] = stop_us, found.class_ids
    table["score"], table["objectness"] = found.scores, found.objectness
    table["class_score"] = table["class_confidence"] = found.class_scores
    return table


def _at(table: DetectionTable | TrackTable, stop_us: int) -> DetectionTable:
    """The same rows at another time."""
    copy = table.copy()
    copy["t"] = stop_us
    return copy
