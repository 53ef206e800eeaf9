"""Average precision of one detector on recordings that are changed at the events."""

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.evaluation import evaluate_with_matches
from etram_pipeline.evaluation.paired import SeedDraws, draw_seeds
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.events.chance import derived_seed
from etram_pipeline.events.changed import ChangedRecording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.inference.encoded import (
    EncodedOnReading,
    at_rate,
    detect_at_frames,
    plan_at_rate,
)
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.frames import LabelledFrames, LabelTables
from etram_pipeline.models.checkpoint import Checkpoint
from etram_pipeline.robustness.sample import choose_sample
from etram_pipeline.robustness.scores import RobustnessScore, compare_with_clean
from etram_pipeline.robustness.settings import RobustnessSettings

logger = logging.getLogger(__name__)

_Times = Mapping[str, Int64[np.ndarray, " F"]]
_Plans = Mapping[str, WindowPlan]
_Scored = tuple[Metrics, SeedDraws]


@dataclass(frozen=True)
class RobustnessStudy:
    """A detector, the labelled recordings in which it is scored, and how.

    Attributes:
        trained: The detector; cells that know time are adapted to each rate, others are not.
        encoding: Representation, and policy that cuts windows. Its length of windows is that of
            training if the checkpoint does not tell.
        recordings: Recordings by key.
        frames: Their labelled frames.
        class_names: Name of each class id of the labels.
        settings: The changes, and the sample.
        predict: Device, precision and lanes.
        evaluate: The first of its protocols is used, with its intervals.
    """

    trained: Checkpoint
    encoding: EncodingSettings
    recordings: Mapping[str, Recording]
    frames: Mapping[str, LabelledFrames]
    class_names: tuple[str, ...]
    settings: RobustnessSettings
    predict: PredictSettings
    evaluate: EvaluateSettings

    def measure(self) -> Iterator[RobustnessScore]:
        """Scores of every change, each beside the score without it at the same labelled frames.

        Recordings are changed and encoded in memory. Each excerpt begins with windows that are not
        scored, in which the detector's memory fills.

        Raises:
            SettingsError: If no labelled frame is the end of a window, or none holds a label.
            ProtocolError: If the protocol does not fit the classes of the labels.
            RecordingError: If a recording is damaged.
        """
        windows = self.encoding.windows
        plans = {
            key: windows.plan(frames.times_us, frames.interval_us, self.recordings[key])
            for key, frames in self.frames.items()
        }
        settings = self.settings
        sample = choose_sample(
            {key: plan.stop_us[plan.frame_windows] for key, plan in plans.items()},
            settings.sample_s,
            settings.excerpt_s,
            settings.seed,
        )
        logger.info("scored on %s", sample.description)
        frames_us = sample.frames_us
        if frames_us and not any(
            len(self.frames[key].at(at).labels) for key, at in frames_us.items()
        ):
            raise SettingsError(
                f"there are no labels in {sample.description}, so nothing can be found there: "
                "raise robustness.sample_s, or choose another robustness.seed"
            )
        clean = self._score(self.encoding, plans, sample.frames_us, self.recordings)
        for change in settings.changes:
            changed = self._score(self.encoding, plans, sample.frames_us, self._changed(change))
            found = (change.name, change.severity, change.unit, change.severity_name)
            yield self._relative(found, clean, changed)
        yield from self._measure_rates(plans, sample.frames_us)

    def _measure_rates(self, plans: _Plans, frames_us: _Times) -> Iterator[RobustnessScore]:
        trained = (self.trained.encoding or self.encoding).windows
        for rate in self.settings.windows_per_second:
            clean: _Scored | None = None
            for length in self.settings.window_lengths:
                long_as = None if length == "step" else trained
                encoding = at_rate(self.encoding, 1000 // rate, long_as)
                plans_here = {
                    key: plan_at_rate(
                        encoding.windows, frames, 1_000_000 // rate, self.recordings[key]
                    )
                    for key, frames in self.frames.items()
                }
                shared = {
                    key: np.intersect1d(times_us, plans_here[key].stop_us)
                    for key, times_us in frames_us.items()
                }
                clean = clean or self._score(self.encoding, plans, shared, self.recordings)
                changed = self._score(encoding, plans_here, shared, self.recordings)
                found = (f"rate_{length}", float(rate), "windows per second", f"{rate}_per_second")
                yield self._relative(found, clean, changed)

    def _changed(self, change: EventChange) -> dict[str, Recording]:
        return {
            key: ChangedRecording(recording, change, derived_seed(self.settings.seed, key))
            for key, recording in self.recordings.items()
        }

    def _score(
        self,
        encoding: EncodingSettings,
        plans: _Plans,
        frames_us: _Times,
        recordings: Mapping[str, Recording],
    ) -> _Scored:
        if not sum(map(len, frames_us.values())):
            raise SettingsError(
                f"no labelled frame is the end of a window every {encoding.windows.step_ms} ms: "
                "set `windows.kind: label_aligned`, or choose other robustness.windows_per_second"
            )
        frames_us = {key: times_us for key, times_us in frames_us.items() if len(times_us)}
        cut = {key: self._cut(plans[key], times_us) for key, times_us in frames_us.items()}
        protocol = self.evaluate.protocols[0]
        tables = detect_at_frames(
            self.trained,
            {key: EncodedOnReading(recordings[key], plan, encoding) for key, plan in cut.items()},
            frames_us,
            self.predict,
            all_windows=protocol.latency_ms is not None,
        )
        metrics, matches = evaluate_with_matches(
            LabelTables({key: self.frames[key].at(times) for key, times in frames_us.items()}),
            {key: tables[key] for key in frames_us},
            protocol,
            self.class_names,
            searched_us={key: plan.stop_us for key, plan in cut.items()},
        )
        metrics = metrics.model_copy(update={"split": self.evaluate.split})
        return metrics, draw_seeds([matches], self.evaluate.intervals.rounds)

    def _cut(self, plan: WindowPlan, frames_us: Int64[np.ndarray, " F"]) -> WindowPlan:
        """The windows from the warm-up of an excerpt to its end."""
        start_us = int(frames_us[0]) - 1000 * self.settings.warm_up_ms
        first, last = np.searchsorted(plan.stop_us, [start_us, int(frames_us[-1])]).tolist()
        stop_us = plan.stop_us[first : last + 1]
        return replace(plan, stop_us=stop_us, frame_windows=np.searchsorted(stop_us, frames_us))

    def _relative(
        self, found: tuple[str, float, str, str], clean: _Scored, changed: _Scored
    ) -> RobustnessScore:
        metrics, draws = changed
        names = [value.name for value in metrics.protocol.shown("headline")]
        values = compare_with_clean(clean[1], draws, names, self.evaluate.intervals.level)
        score = RobustnessScore(*found, values, metrics)
        name = metrics.protocol.monitored.name
        value = values[name]
        logger.info(
            "%s, %g %s: %s %.3f, %.3f without",
            score.change,
            score.severity,
            score.unit,
            name,
            value.changed.value,
            value.clean.value,
        )
        return score
