"""Metrics of one split with intervals, as studies of a detector compare them."""

from collections.abc import Mapping

from etram_pipeline.evaluation.intervals import with_intervals
from etram_pipeline.evaluation.latency import SearchedTimes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.evaluation.scoring import evaluate_with_matches
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


def score_split(  # what is compared, and how
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    protocol: Protocol,
    class_names: tuple[str, ...],
    searched_us: SearchedTimes,
    settings: EvaluateSettings,
) -> Metrics:
    """Metrics as of `evaluate`, with the intervals and the split of the settings.

    Arguments and errors are those of `evaluate`; the settings' own protocols are not used.
    """
    metrics, matches = evaluate_with_matches(
        labels, detections, protocol, class_names, searched_us=searched_us
    )
    intervals = settings.intervals
    metrics = with_intervals(metrics, matches, intervals.rounds, intervals.level)
    return metrics.model_copy(update={"split": settings.split})
