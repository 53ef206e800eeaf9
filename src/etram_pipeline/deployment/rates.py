"""Average precision of one detector by the number of windows a second."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64, Integer

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.deployment.rate_scores import RateScore
from etram_pipeline.deployment.rate_settings import RateSettings, WindowLength
from etram_pipeline.evaluation import evaluate_with_matches
from etram_pipeline.evaluation.intervals import with_intervals
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.encode import encode
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig, WindowPlan, label_aligned
from etram_pipeline.inference.predict import predict_any_sizes
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.moments import apart
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.models.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

_JITTER_US = 2000
"""Deviation of a labelled frame from a regular grid up to which it is part of it."""

_Plans = Mapping[str, WindowPlan]


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


@dataclass(frozen=True)
class RateStudy:
    """A detector, and the labelled recordings in which it is scored at several rates.

    Attributes:
        trained: The detector; cells that know time are adapted to each rate, others are not.
        encoding: Representation, and policy that cuts windows. Its length of windows is that of
            training if the checkpoint does not tell.
        recordings: Recordings by key.
        frames: Their labelled frames.
        class_names: Name of each class id of the labels.
    """

    trained: Checkpoint
    encoding: EncodingSettings
    recordings: Mapping[str, Recording]
    frames: Mapping[str, LabelledFrames]
    class_names: tuple[str, ...]

    def measure(
        self, settings: RateSettings, predict: PredictSettings, evaluate: EvaluateSettings
    ) -> Iterator[RateScore]:
        """Scores at every rate, all at the same labelled frames.

        Recordings are encoded again at each rate, in memory. The detector runs in all windows from
        the start of a recording on. The protocol is the first of `evaluate.protocols`.

        Raises:
            SettingsError: If fewer frames than `least_frames` are the end of a window at all rates.
            ProtocolError: If the protocol does not fit the classes of the labels.
            RecordingError: If a recording is damaged.
        """
        shared_us = self._shared_frames(settings)
        labels = {
            key: frames.labels[np.isin(frames.labels["t"], shared_us[key])]
            for key, frames in self.frames.items()
        }
        found: dict[str, Metrics] = {}  # at the rate of training, both lengths are often the same
        for length in settings.window_lengths:
            for windows_per_second in settings.windows_per_second:
                encoding = self._encoding(1000 // windows_per_second, length)
                windows = encoding.windows
                content = windows.model_dump_json()
                if content not in found:
                    plans = self._plans(windows, settings)
                    tables = self._detect(encoding, plans, shared_us, predict, evaluate)
                    found[content] = self._score(labels, tables, plans, evaluate)
                yield RateScore(windows_per_second, length, windows.duration_ms, found[content])

    def _score(
        self,
        labels: Mapping[str, LabelTable],
        detections: Mapping[str, DetectionTable],
        plans: _Plans,
        evaluate: EvaluateSettings,
    ) -> Metrics:
        metrics, matches = evaluate_with_matches(
            labels,
            detections,
            evaluate.protocols[0],
            self.class_names,
            searched_us={key: plan.stop_us for key, plan in plans.items()},
        )
        intervals = evaluate.intervals
        metrics = with_intervals(metrics, matches, intervals.rounds, intervals.level)
        return metrics.model_copy(update={"split": evaluate.split})

    @property
    def _trained_windows(self) -> WindowConfig:
        return (self.trained.encoding or self.encoding).windows

    def _encoding(self, step_ms: int, length: WindowLength) -> EncodingSettings:
        trained = self._trained_windows
        extent = (
            {"duration_ms": step_ms, "num_events": None}
            if length == "step"
            else {"duration_ms": trained.duration_ms, "num_events": trained.num_events}
        )
        windows = self.encoding.windows.model_copy(update={"step_ms": step_ms, **extent})
        return self.encoding.model_copy(update={"windows": windows})

    def _plans(self, windows: WindowConfig, settings: RateSettings) -> _Plans:
        slowest_us = 1_000_000 // min(settings.windows_per_second)
        return {
            key: _plan(windows, frames, slowest_us, self.recordings[key])
            for key, frames in self.frames.items()
        }

    def _shared_frames(self, settings: RateSettings) -> dict[str, Int64[np.ndarray, " F"]]:
        """Times of the labelled frames that are the end of a window at all rates."""
        shared = {key: frames.times_us for key, frames in self.frames.items()}
        for windows_per_second in settings.windows_per_second:
            windows = self._encoding(1000 // windows_per_second, "step").windows
            for key, plan in self._plans(windows, settings).items():
                shared[key] = np.intersect1d(shared[key], plan.stop_us[plan.frame_windows])
        num_shared = sum(map(len, shared.values()))
        logger.info(
            "%d of %d labelled frames are the end of a window at all rates",
            num_shared,
            sum(map(len, self.frames.values())),
        )
        if num_shared < settings.least_frames:
            rates = ", ".join(map(str, settings.windows_per_second))
            raise SettingsError(
                f"{num_shared} labelled frames are the end of a window at all of {rates} windows a "
                f"second, but rates.least_frames is {settings.least_frames}: set `windows.kind: "
                "label_aligned`, choose other rates.windows_per_second, or label more frames"
            )
        return shared

    def _detect(
        self,
        encoding: EncodingSettings,
        plans: _Plans,
        shared_us: Mapping[str, Int64[np.ndarray, " F"]],
        settings: PredictSettings,
        evaluate: EvaluateSettings,
    ) -> dict[str, DetectionTable]:
        is_delayed = evaluate.protocols[0].latency_ms is not None
        settings = settings.model_copy(update={"windows": "all" if is_delayed else "labelled"})
        encoded = {}
        for key, plan in plans.items():
            frames = np.searchsorted(plan.stop_us, shared_us[key])
            # Whatever the rate, the memory begins with the recording, not shortly before a frame.
            wanted = np.union1d(np.array([0]), frames).astype(np.int64)
            cut = replace(plan, frame_windows=wanted)
            encoded[key] = EncodedOnReading(self.recordings[key], cut, encoding)
        found = predict_any_sizes(self.trained.detector, encoded, settings, self.trained.encoding)
        return {
            key: table if is_delayed else table[np.isin(table["t"], shared_us[key])]
            for key, table in found
        }


def _plan(
    windows: WindowConfig, frames: LabelledFrames, slowest_us: int, recording: Recording
) -> WindowPlan:
    """Windows of a recording at one of several rates, the slowest of which is given."""
    times_us, interval_us = frames.times_us, frames.interval_us
    if isinstance(windows, label_aligned.Config):
        # These windows end at every frame that they are given, also if frames follow faster.
        if interval_us:
            times_us, interval_us = _on_grid(times_us, slowest_us), slowest_us
        else:
            times_us = apart(times_us, slowest_us)
    return windows.plan(times_us, interval_us, recording)


def _on_grid(times_us: Int64[np.ndarray, " F"], interval_us: int) -> Int64[np.ndarray, " G"]:
    """The frames at whole multiples of an interval after the first one."""
    elapsed_us = times_us - times_us[:1]
    steps = np.round(elapsed_us / interval_us)
    on_grid: Int64[np.ndarray, " G"] = times_us[
        np.abs(elapsed_us - steps * interval_us) <= _JITTER_US
    ]
    return on_grid
