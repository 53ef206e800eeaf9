"""Checks that detections have what metrics need: low scores, and all windows."""

from collections.abc import Iterable, Iterator

from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.inference.settings import PredictSettings
from etram_pipeline.labels.suppression import HIGHEST_THRESHOLD_FOR_AP
from etram_pipeline.preflight.run import Notice, Run
from etram_pipeline.training.settings import TrainSettings


def check(run: Run) -> Iterator[Notice]:
    """Score thresholds that make average precision too low, and windows that are left out."""
    if "checkpoint" in run.makes:
        validation = run.parameter("train", TrainSettings.model_validate).validation
        threshold = validation.suppression.score_threshold
        if _needs_low_scores(validation.protocol):
            yield from _too_high(threshold, "train.validation.suppression.score_threshold is")
    if "metrics" not in run.makes:
        return
    protocols = run.parameter("evaluate", EvaluateSettings.model_validate).protocols
    yield from _windows(run, protocols)
    if not any(map(_needs_low_scores, protocols)):
        return
    if "detections" in run.makes:
        suppression = run.parameter("predict", PredictSettings.model_validate).suppression
        yield from _too_high(suppression.score_threshold, "predict.suppression.score_threshold is")
    elif run.detections is not None:
        yield from _too_high(run.detections.score_threshold, "detections were stored down to")


def _windows(run: Run, protocols: Iterable[Protocol]) -> Iterator[Notice]:
    delayed = [protocol.name for protocol in protocols if protocol.latency_ms is not None]
    if not delayed or "detections" not in run.makes:
        return
    if run.parameter("predict", PredictSettings.model_validate).windows == "labelled":
        yield Notice(
            f"evaluate.protocols: {', '.join(delayed)} with latency_ms needs detections in all "
            "windows, but predict.windows is labelled: set `predict.windows: all`"
        )


def _needs_low_scores(choice: str | Protocol) -> bool:
    try:
        return any(metric.needs_low_scores for metric in resolve_protocol(choice).metrics)
    except ProtocolError:  # reported by the check of classes
        return False


def _too_high(threshold: float | None, what: str) -> Iterator[Notice]:
    if threshold is None or threshold <= HIGHEST_THRESHOLD_FOR_AP:
        return
    yield Notice(
        f"{what} {threshold:g}, but average precision also counts weaker detections and will be "
        f"too low: predict with a score threshold of at most {HIGHEST_THRESHOLD_FOR_AP:g}; "
        "precision and recall at a higher score are in the report, as the operating point",
        is_fault=False,
    )
