"""Figures of a comparison of experiments."""

from collections.abc import Callable, Sequence

import numpy as np
from jaxtyping import Float64
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.reports.comparison import Comparison, Side
from etram_pipeline.reports.figure_style import add_legend, draw_nothing, new_figure
from etram_pipeline.reports.wording import NO_LABELS

_LINE_STYLES = ("-", "--", ":")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_SIZES = ("nano", "small", "medium", "large", "xlarge", "2xlarge")
_LONGEST_NAME = 26
_MOST_BARS = 3
_MOST_TICKS = 5


def draw_comparison_figures(comparison: Comparison) -> dict[str, Figure]:
    """Every figure by name; one that lacks its values says so."""
    return {
        "training_curves": draw_training_curves(comparison),
        "metrics_bar_comparison": draw_metric_bars(comparison),
        "model_size_comparison": draw_model_sizes(comparison),
        "hp_lr_scatter": draw_learning_rates(comparison),
    }


def draw_training_curves(comparison: Comparison) -> Figure:
    """The monitored value by training step: a thin line for each seed, and their mean."""
    title = "Validation while training"
    sides = [side for side in comparison.sides if any(run.validations for run in side.runs)]
    if not sides:
        return draw_nothing(title, "no validation of these runs is in MLflow")
    protocols = sorted({run.validated_by for side in sides for run in side.runs} - {""})
    about = f"{' · '.join(protocols)} · thin: each seed, thick: mean of all"
    figure, (axes,) = new_figure(title, about, height_in=_height(comparison, 3.6))
    axes.grid(color=palette.LINE, linewidth=0.8)
    for place, side in enumerate(comparison.sides):
        colour, style, _ = _look(place)
        curves = [np.array(run.validations) for run in side.runs if run.validations]
        for curve in curves:
            axes.plot(*curve.T, color=colour, linestyle=style, linewidth=0.9, alpha=0.45)
        if curves:
            axes.plot(
                *_mean_curve(curves).T,
                color=colour,
                linestyle=style,
                linewidth=2.2,
                marker="o",
                markersize=3,
                label=_short(side.name),
            )
    axes.set(xlabel="training step", ylabel=f"{comparison.headline.title} of the validation")
    axes.set_ylim(bottom=0)
    add_legend(axes, columns=2, below=True)
    return figure


def draw_metric_bars(comparison: Comparison) -> Figure:
    """Means of the overall values of each side with intervals, and points for single seeds."""
    named = {value.name: value for value in comparison.protocol.shown("protocols")}
    known = [
        value
        for name, value in named.items()
        if any(side.mean(name) is not None for side in comparison.sides)
    ][:_MOST_BARS]
    title = "Values of each side"
    if not known:
        return draw_nothing(title, f"{comparison.protocol.name}: no side has a value")
    about = f"{comparison.protocol.name} · mean over seeds with 95 % interval, points: seeds"
    height_in = 1.15 + 0.38 * len(comparison.sides)
    figure, panels = new_figure(title, about, height_in=height_in, num_axes=len(known))
    for axes, value in zip(panels, known, strict=True):
        for row, side in enumerate(comparison.sides):
            _draw_bar(axes, row, side, value.name)
        axes.grid(axis="x", color=palette.LINE, linewidth=0.8)
        axes.set_ylim(len(comparison.sides) - 0.4, -0.6)
        axes.set_yticks([])
        axes.set_xlim(left=0)
        axes.locator_params(axis="x", nbins=4)
        axes.set_xlabel(value.title)
    names = [_short(side.name) for side in comparison.sides]
    panels[0].set_yticks(range(len(names)), names, parse_math=False)
    return figure


def draw_model_sizes(comparison: Comparison) -> Figure:
    """The headline value by number of parameters; the shape of a mark is the size's name."""
    value = comparison.headline
    title = f"{value.title} by number of parameters"
    points = [
        (place, side, side.num_parameters, mean)
        for place, side in enumerate(comparison.sides)
        if side.num_parameters is not None and (mean := side.mean(value.name)) is not None
    ]
    if not points:
        return draw_nothing(title, "no run logged the number of its parameters")
    missing = len(comparison.sides) - len(points)
    about = "mean over seeds with 95 % interval" + (
        f" · {counted(missing, 'side')} without a number of parameters" if missing else ""
    )
    figure, (axes,) = new_figure(title, about, height_in=_height(comparison, 3.4))
    axes.grid(color=palette.LINE, linewidth=0.8)
    for place, side, number, mean in points:
        colour, _, _ = _look(place)
        label = f"{_short(side.name)} · {side.size}" if side.size else _short(side.name)
        axes.errorbar(
            number,
            mean,
            yerr=_errors(side, value.name),
            fmt=_MARKERS[_SIZES.index(side.size) if side.size in _SIZES else 0],
            color=colour,
            markerfacecolor=_fill(place),
            capsize=3,
            label=label,
        )
    _log_scale(axes, [float(number) for *_, number, _ in points], _count_text)
    axes.set(xlabel="parameters of the detector (logarithmic)", ylabel=value.title)
    axes.margins(y=0.15)
    add_legend(axes, columns=2, below=True)
    return figure


def draw_learning_rates(comparison: Comparison) -> Figure:
    """The headline value of every run by learning rate."""
    value = comparison.headline
    title = f"{value.title} by learning rate"
    points = [
        (place, [(run.learning_rate, run.values[value.name]) for run in runs])
        for place, side in enumerate(comparison.sides)
        if (runs := [run for run in side.runs if run.learning_rate and value.name in run.values])
    ]
    if not points:
        return draw_nothing(title, "no run has the parameter train.optimizer.learning_rate")
    figure, (axes,) = new_figure(title, "one mark per run", height_in=_height(comparison, 3.4))
    axes.grid(color=palette.LINE, linewidth=0.8)
    for place, of_side in points:
        colour, _, marker = _look(place)
        axes.plot(
            *np.array(of_side).T,
            marker,
            color=colour,
            markerfacecolor=_fill(place),
            label=_short(comparison.sides[place].name),
        )
    rates = [rate for _, of_side in points for rate, _ in of_side if rate]
    _log_scale(axes, rates, lambda rate: f"{rate:g}")
    axes.set(xlabel="learning rate (logarithmic)", ylabel=value.title)
    axes.margins(y=0.15)
    add_legend(axes, columns=2, below=True)
    return figure


def _draw_bar(axes: Axes, row: int, side: Side, name: str) -> None:
    mean = side.mean(name)
    if mean is None:
        axes.text(0, row, f" {NO_LABELS}", va="center", fontsize=8, color=palette.MUTED)
        return
    colour = palette.MUTED if row == 0 else palette.ACCENT
    axes.barh(row, mean, 0.62, color=colour, alpha=0.75)
    axes.errorbar(mean, row, xerr=_errors(side, name), color=palette.INK, capsize=3, linewidth=1.2)
    values = [run.values[name] for run in side.runs]
    if len(values) > 1:
        axes.plot(values, np.full(len(values), row), "o", markersize=2.6, color=palette.INK)
    interval = side.intervals.get(name)
    end = max([mean, *values, *([interval.high] if interval else [])])
    axes.annotate(
        f"{mean:.3f}",
        (end, row),
        (5, 0),
        textcoords="offset points",
        va="center",
        fontsize=8,
        color=palette.INK,
    )
    axes.update_datalim([(1.4 * end, row)])
    axes.autoscale_view(scaley=False)


def _errors(side: Side, name: str) -> Float64[np.ndarray, "2 1"] | None:
    """Distances from the mean to both ends of its interval."""
    interval = side.intervals.get(name)
    if interval is None:
        return None
    ends = [[interval.value - interval.low], [interval.high - interval.value]]
    return np.array(ends).clip(0)


def _mean_curve(curves: Sequence[Float64[np.ndarray, "_ 2"]]) -> Float64[np.ndarray, "N 2"]:
    """Mean over curves at the steps that all of them have."""
    steps = [set(curve[:, 0].tolist()) for curve in curves]
    common = sorted(set.intersection(*steps))
    values = [dict(curve.tolist()) for curve in curves]
    means = [np.mean([each[step] for each in values]) for step in common]
    return np.array([common, means], float).T.reshape(-1, 2)


def _log_scale(axes: Axes, values: Sequence[float], text: Callable[[float], str]) -> None:
    """A logarithmic horizontal axis that names the values themselves."""
    axes.set_xscale("log")
    axes.set_xlim(min(values) / 1.6, max(values) * 1.6)
    apart = max((max(values) / min(values)) ** (1 / _MOST_TICKS), 1.1)  # or they overlap
    ticks: list[float] = []
    for value in sorted(set(values)):
        if not ticks or value > apart * ticks[-1]:
            ticks.append(value)
    axes.set_xticks(ticks, [text(value) for value in ticks])
    axes.minorticks_off()


def _count_text(number: float) -> str:
    millions = number / 1e6
    return f"{millions:.1f} M" if millions >= 1 else f"{number / 1e3:.0f} k"


def _look(place: int) -> tuple[str, str, str]:
    """Colour, line and marker of a side; no two of the first 18 are alike."""
    turn = place // len(palette.SERIES) % len(_LINE_STYLES)
    return palette.SERIES[place % len(palette.SERIES)], _LINE_STYLES[turn], _MARKERS[turn]


def _fill(place: int) -> str:
    """Marks of one colour are filled, then empty."""
    colour, style, _ = _look(place)
    return colour if style == _LINE_STYLES[0] else "none"


def _height(comparison: Comparison, least_in: float) -> float:
    """Height of a figure whose legend stands below."""
    return least_in + 0.2 * -(-len(comparison.sides) // 2)


def _short(name: str) -> str:
    """A name of limited length, cut in its middle: names of a series differ at their ends."""
    if len(name) <= _LONGEST_NAME:
        return name
    half = _LONGEST_NAME // 2
    return f"{name[: half - 1]}…{name[-half:]}"
