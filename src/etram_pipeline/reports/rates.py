"""Figures of scores by rate of windows and by latency."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.deployment.rate_scores import LatencyScore, RateScore
from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.figure_style import add_legend, new_figure, show_from_zero

_LENGTHS = {
    "step": "windows as long as their step",
    "trained": "windows as long as in training",
}
_SHIFT = 0.015
"""Share of a value by which points of two lines are moved apart, so that bars do not coincide."""


def draw_rates(scores: Sequence[RateScore]) -> Figure:
    """The first headline value over the windows per second, one line for each length of windows.

    Args:
        scores: At least one; all by one protocol.
    """
    metrics = scores[0].metrics
    title = f"{_title(metrics)} by windows per second"
    figure, axes = _new(title, metrics, metrics.protocol.name)
    lengths = list(dict.fromkeys(score.window_length for score in scores))
    for number, length in enumerate(lengths):
        chosen = sorted(
            (score for score in scores if score.window_length == length),
            key=lambda score: score.windows_per_second,
        )
        shift = 1 + _SHIFT * (2 * number - len(lengths) + 1)
        places = [score.windows_per_second * shift for score in chosen]
        _draw_line(axes, places, [score.metrics for score in chosen], number, _LENGTHS[length])
    rates = sorted({score.windows_per_second for score in scores})
    axes.set_xscale("log")
    axes.set_xticks(rates, [str(rate) for rate in rates])
    axes.minorticks_off()
    axes.set_xlabel("windows per second (logarithmic)")
    add_legend(axes, columns=len(lengths))
    return figure


def draw_latencies(scores: Sequence[LatencyScore], protocol: str) -> Figure:
    """The first headline value over the milliseconds that a window takes to compute.

    Args:
        scores: At least one; all by one protocol but for the latency.
        protocol: Name of the protocol without latency.
    """
    metrics = scores[0].metrics
    figure, axes = _new(f"{_title(metrics)} of what a viewer has, by latency", metrics, protocol)
    ordered = sorted(scores, key=lambda score: score.latency_ms)
    places = [score.latency_ms for score in ordered]
    _draw_line(axes, places, [score.metrics for score in ordered], 0, "")
    axes.set_xlabel("time to compute a window (ms)")
    return figure


def _new(title: str, metrics: Metrics, protocol: str) -> tuple[Figure, Axes]:
    labels, frames = counted(metrics.num_labels, "label"), counted(metrics.num_frames, "frame")
    about = f"{protocol} · {labels} in {frames} of {metrics.split}"
    if metrics.intervals:
        about += f" · bars: {100 * metrics.interval_level:g} % intervals over recordings"
    figure, (axes,) = new_figure(title, about, height_in=3.6)
    axes.grid(color=palette.LINE, linewidth=0.8)
    axes.set_ylabel(_title(metrics))
    return figure, axes


def _title(metrics: Metrics) -> str:
    return metrics.protocol.monitored.title


def _draw_line(
    axes: Axes, places: Sequence[float], found: Sequence[Metrics], number: int, label: str
) -> None:
    name = found[0].protocol.monitored.name
    values = [metrics.overall[name] for metrics in found]
    intervals = [metrics.interval_of(name) for metrics in found]
    ends = [
        (value, value) if interval is None else (interval.low, interval.high)
        for value, interval in zip(values, intervals, strict=True)
    ]
    errors = [
        [value - low for value, (low, _) in zip(values, ends, strict=True)],
        [high - value for value, (_, high) in zip(values, ends, strict=True)],
    ]
    axes.errorbar(
        places,
        values,
        yerr=errors,
        fmt="o-",
        color=palette.SERIES[number],
        linewidth=2,
        markersize=4,
        elinewidth=1,
        capsize=2.5,
        label=label,
    )
    show_from_zero(axes, [high for _, high in ends])
