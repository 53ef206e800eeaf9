"""Recordings that are encoded whenever they are read, at any rate of windows."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Int64, Integer

from etram_pipeline.core.recording import Recording
from etram_pipeline.events.encode import encode
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig, WindowPlan, label_aligned
from etram_pipeline.inference.predict import predict_any_sizes
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.moments import apart
from etram_pipeline.models.checkpoint import Checkpoint

_JITTER_US = 2000
"""Deviation of a labelled frame from a regular grid up to which it is part of it."""


@dataclass(frozen=True)
class EncodedOnReading:
    """Representations of a recording that are made from its events whenever they are read.

    See `WindowRepresentations`. Nothing is stored, and memory holds the windows of one reading.

    Attributes:
        recording: The recording.
        plan: Its windows.
        encoding: How a window is encoded; its windows are those of the plan.
    """

    recording: Recording
    plan: WindowPlan
    encoding: EncodingSettings

    @property
    def num_windows(self) -> int:
        """Windows in the recording."""
        return len(self.plan.stop_us)

    @property
    def channels(self) -> int:
        """Channels of each representation."""
        return self.encoding.representation.channels

    @property
    def height(self) -> int:
        """Rows of each representation."""
        return self._size[0]

    @property
    def width(self) -> int:
        """Columns of each representation."""
        return self._size[1]

    @property
    def downsampled_by(self) -> int:
        """Sensor pixels per pixel of a representation, along each axis."""
        return self.encoding.representation.downsampled_by

    @property
    def stop_us(self) -> Int64[np.ndarray, " W"]:
        """End of each window, in microseconds."""
        return self.plan.stop_us

    @property
    def frame_windows(self) -> Int64[np.ndarray, " F"]:
        """Window that ends at each labelled frame."""
        return self.plan.frame_windows

    def read(self, start: int, stop: int) -> Integer[np.ndarray, "T C H W"]:
        """Representations of the windows from `start` to before `stop`.

        Raises:
            RecordingError: If the recording is damaged.
        """
        part = replace(self.plan, stop_us=self.plan.stop_us[start:stop])
        recording = self.recording
        representation = self.encoding.representation.build(recording.height, recording.width)
        images = list(encode(recording, part, representation))
        shape = (0, self.channels, self.height, self.width)
        return np.stack(images) if images else np.empty(shape, representation.dtype)

    @property
    def _size(self) -> tuple[int, int]:
        return self.encoding.representation.image_size(self.recording.height, self.recording.width)


def at_rate(
    encoding: EncodingSettings, step_ms: int, long_as: WindowConfig | None = None
) -> EncodingSettings:
    """Encoding with another time between the ends of windows.

    Args:
        encoding: Representation, and policy that cuts windows.
        step_ms: Time between the ends of two windows.
        long_as: Windows that the new ones are as long as; None: as long as the time between ends.
    """
    extent: dict[str, int | None] = {"duration_ms": step_ms, "num_events": None}
    if long_as is not None:
        extent = {"duration_ms": long_as.duration_ms, "num_events": long_as.num_events}
    windows = encoding.windows.model_copy(update={"step_ms": step_ms, **extent})
    return encoding.model_copy(update={"windows": windows})


def plan_at_rate(
    windows: WindowConfig, frames: LabelledFrames, slowest_us: int, recording: Recording
) -> WindowPlan:
    """Windows of a recording at one of several rates.

    Args:
        windows: How windows are cut at that rate.
        frames: The labelled frames of the recording.
        slowest_us: Longest time between the ends of windows of all these rates, in microseconds.
            Windows aligned to labels end at frames that are whole multiples of it apart, because
            they would otherwise end at every labelled frame, also if frames follow faster.
        recording: The recording.

    Raises:
        RecordingError: If it is damaged, or windows are too many.
        NoLabelsError: If windows are aligned to labels and there are none.
    """
    times_us, interval_us = frames.times_us, frames.interval_us
    if isinstance(windows, label_aligned.Config):
        if interval_us:
            times_us, interval_us = _on_grid(times_us, slowest_us), slowest_us
        else:
            times_us = apart(times_us, slowest_us)
    return windows.plan(times_us, interval_us, recording)


def detect_at_frames(
    trained: Checkpoint,
    recordings: Mapping[str, EncodedOnReading],
    frames_us: Mapping[str, Int64[np.ndarray, " F"]],
    settings: PredictSettings,
    *,
    all_windows: bool,
) -> dict[str, DetectionTable]:
    """Detections at some windows, of a detector that has seen all windows before them.

    Args:
        trained: The detector; cells that know time are adapted to the windows, others are not.
        recordings: Recordings by key.
        frames_us: Ends of the wanted windows, in microseconds, by key.
        settings: Device, precision and lanes; which windows it names does not count.
        all_windows: Whether detections in all other windows are returned as well.

    Raises:
        RecordingError: If a recording is damaged.
        StoreError: If windows of different recordings are at different rates.
    """
    windows: Literal["all", "labelled"] = "all" if all_windows else "labelled"
    settings = settings.model_copy(update={"windows": windows})
    wanted = {}
    for key, encoded in recordings.items():
        frames = np.searchsorted(encoded.stop_us, frames_us[key])
        # The memory begins with the first window, not shortly before a frame.
        chosen = np.union1d(np.array([0]), frames).astype(np.int64)
        wanted[key] = replace(encoded, plan=replace(encoded.plan, frame_windows=chosen))
    found = predict_any_sizes(trained.detector, wanted, settings, trained.encoding)
    return {
        key: table if all_windows else table[np.isin(table["t"], frames_us[key])]
        for key, table in found
    }


def _on_grid(times_us: Int64[np.ndarray, " F"], interval_us: int) -> Int64[np.ndarray, " G"]:
    """The frames at whole multiples of an interval after the first one."""
    elapsed_us = times_us - times_us[:1]
    steps = np.round(elapsed_us / interval_us)
    on_grid: Int64[np.ndarray, " G"] = times_us[
        np.abs(elapsed_us - steps * interval_us) <= _JITTER_US
    ]
    return on_grid
