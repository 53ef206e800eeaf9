"""Average precision of what a viewer has, by the time that a window takes to compute."""

from collections.abc import Iterable, Iterator, Mapping, Sequence

import numpy as np

from etram_pipeline.deployment.rate_scores import LatencyScore
from etram_pipeline.evaluation.latency import Schedule, SearchedTimes
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.evaluation.split_scores import score_split
from etram_pipeline.evaluation.tables import empty_moments, times_of_labels
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


def score_at_latencies(  # what is compared, and how
    labels: Mapping[str, LabelTable],
    detections: Mapping[str, DetectionTable],
    searched_us: SearchedTimes,
    class_names: tuple[str, ...],
    latencies_ms: Sequence[float],
    evaluate: EvaluateSettings,
) -> Iterator[LatencyScore]:
    """Scores of the same detections at several latencies.

    Args:
        labels: Ground truth by recording.
        detections: Detections of the same recordings in all windows.
        searched_us: Ends of all windows.
        class_names: Name of each class id of the tables.
        latencies_ms: Times that a window takes, in milliseconds.
        evaluate: The first of its protocols scores, with its own latency replaced.

    Raises:
        ProtocolError: If the protocol does not fit the tables' classes.
        ValidationError: If the protocol compares detections at all times.
    """
    base = evaluate.protocols[0]
    for latency_ms in latencies_ms:
        fields = {"name": f"{base.name}_{latency_ms:g}ms", "latency_ms": latency_ms}
        protocol = Protocol.model_validate(base.model_dump() | fields)
        metrics = score_split(labels, detections, protocol, class_names, searched_us, evaluate)
        ages_ms, share = _ages(labels, searched_us, protocol.latencies_us)
        yield LatencyScore(
            latency_ms=latency_ms,
            mean_age_ms=float(np.mean(ages_ms)) if ages_ms else None,
            computed_share=share,
            metrics=metrics,
        )


def _ages(
    labels: Mapping[str, LabelTable], searched_us: SearchedTimes, latencies_us: Iterable[int]
) -> tuple[list[float], float]:
    """Ages of the boxes that are known at labelled moments, and share of windows computed."""
    ages_ms: list[float] = []
    num_computed = num_windows = 0
    for key, table in labels.items():
        schedule = Schedule.of(searched_us[key], latencies_us)
        moments_us = np.union1d(times_of_labels(table, key), empty_moments(labels, key))
        known_us = schedule.known_at(moments_us)
        is_known = known_us >= 0
        ages_ms += ((moments_us - known_us)[is_known] / 1000).tolist()
        num_computed += len(schedule.windows_us)
        num_windows += len(searched_us[key])
    return ages_ms, num_computed / num_windows if num_windows else 1.0
