"""Average precision of one detector by the number of windows a second."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.deployment.rate_scores import RateScore
from etram_pipeline.deployment.rate_settings import RateSettings
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.evaluation.split_scores import score_split
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowConfig, WindowPlan
from etram_pipeline.inference.encoded import (
    EncodedOnReading,
    at_rate,
    detect_at_frames,
    plan_at_rate,
)
from etram_pipeline.inference.rates import WindowLength
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelledFrames, LabelTables
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.models.checkpoint import Checkpoint

logger = logging.getLogger(__name__)

_Plans = Mapping[str, WindowPlan]


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
        labels = LabelTables({key: each.at(shared_us[key]) for key, each in self.frames.items()})
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
        return score_split(
            labels,
            detections,
            evaluate.protocols[0],
            self.class_names,
            {key: plan.stop_us for key, plan in plans.items()},
            evaluate,
        )

    def _encoding(self, step_ms: int, length: WindowLength) -> EncodingSettings:
        trained = (self.trained.encoding or self.encoding).windows
        return at_rate(self.encoding, step_ms, None if length == "step" else trained)

    def _plans(self, windows: WindowConfig, settings: RateSettings) -> _Plans:
        slowest_us = 1_000_000 // min(settings.windows_per_second)
        return {
            key: plan_at_rate(windows, frames, slowest_us, self.recordings[key])
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
        return detect_at_frames(
            self.trained,
            {
                key: EncodedOnReading(self.recordings[key], plan, encoding)
                for key, plan in plans.items()
            },
            shared_us,
            settings,
            all_windows=evaluate.protocols[0].latency_ms is not None,
        )
