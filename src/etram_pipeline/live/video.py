"""Boxes, ids and trails over events as a video file."""

import itertools
import queue
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
from typing_extensions import override

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.drawing.annotation import AnnotatedWindow, Annotator
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.drawing.track_annotation import TRAIL_US, TrackAnnotator
from etram_pipeline.live.brightness import Brightness
from etram_pipeline.live.output import Output
from etram_pipeline.live.stage import Stage
from etram_pipeline.live.window import ShownWindow
from etram_pipeline.tracks.table import TrackTable, empty_tracks

_ROOM = 8
"""Windows that may wait for the video."""

_LOOK_EVERY_S = 0.5
"""Pause between two looks at whether the thread still writes."""

_LONGEST_STILL_US = 2_000_000
"""Longest time for which a picture stays where windows are missing."""


class VideoFile(Output):
    """Draws and writes in a thread of its own, so that detecting goes on meanwhile.

    The file plays as fast as the sensor's clock went: where windows are missing, the picture before
    them stays. It is whole when it is closed, and absent until then.

    Attributes:
        num_missed: Windows that it had no time for; they are not drawn.
    """

    def __init__(self, path: Path, stage: Stage, *, waits: bool) -> None:
        """Begin a video.

        Args:
            path: The file; replaced if it is there.
            stage: What is shown beside the windows.
            waits: Whether a window waits until there is room for it, or is missed.

        Raises:
            SettingsError: If Pillow or PyAV is not installed.
        """
        try:
            from etram_pipeline.drawing.video import write_video
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"--video needs the package {error.name}: pip install av pillow"
            ) from error
        self._path, self._stage, self._waits = path, stage, waits
        self._write_video = write_video
        self._queue: queue.Queue[ShownWindow | None] = queue.Queue(_ROOM)
        self._failure: Exception | None = None
        self._brightness = Brightness()
        self._recent: list[TrackTable] = []
        self.num_missed = 0
        self._thread = threading.Thread(target=self._write, name="video", daemon=True)
        self._thread.start()

    @override
    def show(self, window: ShownWindow) -> None:
        if self._queue.full() and not self._waits:
            self.num_missed += 1
        else:
            self._put(window)

    @override
    def close(self) -> None:
        try:
            self._put(None)
        finally:
            self._thread.join()
        self._raise_failure()

    def _put(self, window: ShownWindow | None) -> None:
        """Hand a window to the thread, unless it has failed."""
        while self._thread.is_alive():
            try:
                self._queue.put(window, timeout=_LOOK_EVERY_S)
            except queue.Full:
                continue
            return
        self._raise_failure()

    def _raise_failure(self) -> None:
        if self._failure is not None:
            failure, self._failure = self._failure, None
            raise failure

    def _write(self) -> None:
        windows = iter(self._queue.get, None)
        first = next(windows, None)
        if first is None:
            return  # a video without a picture cannot be written
        pictures = self._pictures(itertools.chain([first], windows))
        try:
            self._write_video(self._path, pictures, 1e6 / self._stage.step_us)
        except Exception as error:  # noqa: BLE001  # raised in the thread that shows windows
            self._failure = error

    def _pictures(self, windows: Iterable[ShownWindow]) -> Iterator[RgbImage]:
        before: tuple[int, RgbImage] | None = None
        for window in windows:
            picture, time_us = self._draw(window), window.line.t
            if before is not None:
                missing = _num_missing(time_us - before[0], self._stage.step_us)
                yield from itertools.repeat(before[1], missing)
            yield picture
            before = time_us, picture

    def _draw(self, window: ShownWindow) -> RgbImage:
        frame = window.frame
        if frame is None:
            frame = np.zeros((2, *self._stage.frame_size), np.uint8)
        names, saturation = self._stage.class_names, self._brightness.of(frame)
        annotator = Annotator(names, saturation=saturation)
        shown = window.detections
        if window.tracks is not None:
            annotator = TrackAnnotator(self._trails(window), names, saturation=saturation)
            shown = window.tracks
        scene = AnnotatedWindow(
            frame=frame,
            recording=self._stage.source,
            time_us=window.line.t,
            detections=shown,
            labels=None,
            downsampled_by=self._stage.downsampled_by,
        )
        return annotator.draw(scene)

    def _trails(self, window: ShownWindow) -> TrackTable:
        """Rows of the last seconds, from which trails are drawn."""
        now_us = window.line.t
        self._recent = [rows for rows in self._recent if 0 < now_us - int(rows["t"][0]) < TRAIL_US]
        if window.tracks is not None and len(window.tracks):
            self._recent.append(window.tracks)
        return np.concatenate([empty_tracks(), *self._recent])


def _num_missing(passed_us: int, step_us: int) -> int:
    """Windows between two that came one after the other; none where the clock began anew."""
    return max(round(passed_us / step_us) - 1, 0) if passed_us <= _LONGEST_STILL_US else 0
