"""Scoring of one split, with the operating scores that are known for the detector."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import cached_property

from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.core.recording_key import in_splits
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.evaluation import evaluate_with_matches, find_operating_scores
from etram_pipeline.evaluation.evidence import Evidence
from etram_pipeline.evaluation.intervals import with_intervals
from etram_pipeline.evaluation.latency import SearchedTimes
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.scoring import gather_evidence
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.frames import LabelTables
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.pipelines.evaluate.searched import searched_windows
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

VALIDATION = "val"
"""Split in which operating scores are chosen."""

_Tables = tuple[Mapping[str, LabelTable], Mapping[str, DetectionTable]]


class Scoring:
    """Compares the stored detections of one split with its labels by any protocol.

    Operating scores come from the stored detections of the validation recordings, or else from
    the validation of the training. They never come from the split that is evaluated.
    """

    def __init__(
        self,
        labels: LabelStore,
        detections: DetectionStore,
        representations: RepresentationStore,
        class_names: tuple[str, ...],
        settings: EvaluateSettings,
    ) -> None:
        """Evaluate the split of the settings, whose labelled recordings all have detections.

        Of the representations, only the windows are read, and only for protocols with a latency.
        """
        self._labels = labels
        self._detections = detections
        self._representations = representations
        self._class_names = class_names
        self._split = settings.split
        self._intervals = settings.intervals

    def score(self, protocol: Protocol) -> tuple[Matches, Metrics]:
        """Matches and metrics of the split by one protocol."""
        metrics, matches = evaluate_with_matches(
            *self._compared,
            protocol,
            self._class_names,
            operating_scores=self.operating_scores(protocol),
            searched_us=self._searched_us(protocol, self._compared),
        )
        metrics = with_intervals(metrics, matches, self._intervals.rounds, self._intervals.level)
        missing = "" if metrics.operating_point else self._why_no_operating_point()
        return replace(matches, split=self._split), metrics.model_copy(
            update={"split": self._split, "no_operating_point": missing}
        )

    def evidence(self, protocol: Protocol) -> Evidence:
        """What the metrics of the split are computed from by one protocol."""
        return gather_evidence(
            *self._compared,
            protocol,
            self._class_names,
            self._searched_us(protocol, self._compared),
        )

    def operating_scores(self, protocol: Protocol) -> OperatingScores | None:
        """Scores that the split has no part in; None if none are known."""
        if self._split == VALIDATION:
            return None
        if self._is_validation_detected:
            return find_operating_scores(
                *self._validation,
                protocol,
                self._class_names,
                searched_us=self._searched_us(protocol, self._validation),
            )
        return self._detections.operating_scores

    def _why_no_operating_point(self) -> str:
        if self._split == VALIDATION:
            return (
                "operating scores are chosen in the validation recordings, so these cannot be "
                "evaluated with them: set evaluate.split to test"
            )
        counts = self._labels.summaries  # not known of labels that were preprocessed elsewhere
        if not any(key not in counts or counts[key].num_boxes for key in self._validation_keys):
            return (
                f"operating scores are chosen in labelled recordings of {VALIDATION!r}, and there "
                "are none: label some"
            )
        if self._is_validation_detected:
            return "no detection in the validation recordings is right: train for longer"
        if self._detections.origin is not None:
            return (
                "operating scores of these detections are not known: add detections of all "
                f"labelled recordings of {VALIDATION} to {self._detections.origin.path}"
            )
        return (
            f"operating scores of this protocol are not known: add {VALIDATION} to "
            "predict.splits and run `kedro run --pipelines predict,evaluate,report`"
        )

    def _searched_us(self, protocol: Protocol, tables: _Tables) -> SearchedTimes | None:
        if protocol.latency_ms is None:
            return None
        _, detections = tables
        return searched_windows(self._representations, detections, protocol.name)

    @property
    def _is_validation_detected(self) -> bool:
        keys = self._validation_keys
        return bool(keys) and all(key in self._detections for key in keys)

    @cached_property
    def _validation_keys(self) -> tuple[str, ...]:
        return tuple(in_splits(self._labels, (VALIDATION,)))

    @cached_property
    def _compared(self) -> _Tables:
        return self._read(in_splits(self._labels, (self._split,)))

    @cached_property
    def _validation(self) -> _Tables:
        return self._read(self._validation_keys)

    def _read(self, keys: Iterable[str]) -> _Tables:
        keys = list(keys)
        labels = LabelTables({key: self._labels[key] for key in keys})
        return labels, {key: self._detections[key] for key in keys}
