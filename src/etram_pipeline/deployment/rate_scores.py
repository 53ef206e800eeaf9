"""Scores by rate of windows and by latency, as rows of tables and as metrics."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.inference.rates import WindowLength

Row = dict[str, str | int | float | None]
"""Column names and values of one row of a table."""


@dataclass(frozen=True)
class RateScore:
    """How well a detector does at one rate.

    Attributes:
        windows_per_second: The rate.
        window_length: How the length of windows was chosen.
        window_ms: Length of a window; None where windows hold a number of events.
        metrics: Metrics at the labelled frames that all rates share.
    """

    windows_per_second: int
    window_length: WindowLength
    window_ms: int | None
    metrics: Metrics


@dataclass(frozen=True)
class LatencyScore:
    """How well a viewer is served if a window takes some time to compute.

    Attributes:
        latency_ms: Time to compute a window.
        mean_age_ms: Time since the end of the window whose boxes a viewer has, mean over the
            labelled moments at which there are any; None without such a moment.
        computed_share: Share of the windows that are computed; the others are left out.
        metrics: Metrics of the boxes that a viewer has at the labelled moments.
    """

    latency_ms: float
    mean_age_ms: float | None
    computed_share: float
    metrics: Metrics


def rate_rows(scores: Iterable[RateScore]) -> list[Row]:
    """One row for each length of windows and rate."""
    return [
        {
            "window_length": score.window_length,
            "windows_per_second": score.windows_per_second,
            "window_ms": score.window_ms,
            **_counts(score.metrics),
            **dict(_values(score.metrics)),
        }
        for score in scores
    ]


def latency_rows(scores: Iterable[LatencyScore]) -> list[Row]:
    """One row for each latency."""
    return [
        {
            "latency_ms": score.latency_ms,
            "mean_age_ms": score.mean_age_ms,
            "computed_share": score.computed_share,
            **_counts(score.metrics),
            **dict(_values(score.metrics)),
        }
        for score in scores
    ]


def rate_numbers(scores: Iterable[RateScore]) -> dict[str, float]:
    """Metrics such as `rates/step/50_per_second/AP`, and the ends of their intervals."""
    return {
        metric_name("rates", score.window_length, f"{score.windows_per_second}_per_second", name): (
            value
        )
        for score in scores
        for name, value in _values(score.metrics)
        if value != NO_GROUND_TRUTH
    }


def latency_numbers(scores: Iterable[LatencyScore]) -> dict[str, float]:
    """Metrics such as `latency/40_ms/AP`, and the ends of their intervals."""
    return {
        metric_name("latency", f"{score.latency_ms:g}_ms", name): value
        for score in scores
        for name, value in _values(score.metrics)
        if value != NO_GROUND_TRUTH
    }


def _counts(metrics: Metrics) -> Row:
    return {"frames": metrics.num_frames, "labels": metrics.num_labels}


def _values(metrics: Metrics) -> Iterator[tuple[str, float]]:
    """Headline values, each with the ends of its interval if it has one."""
    for value in metrics.protocol.shown("headline"):
        if value.name not in metrics.overall:
            continue
        yield value.name, metrics.overall[value.name]
        if (interval := metrics.interval_of(value.name)) is not None:
            yield f"{value.name}_low", interval.low
            yield f"{value.name}_high", interval.high
