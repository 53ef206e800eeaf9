"""Reliability diagrams: the share of right detections by score."""

from collections.abc import Mapping

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.analysis.reliability import NUM_BINS, CalibrationResult, Reliability
from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.reports.figure_style import add_legend, new_figure

ENOUGH = 100
"""Number of detections from which a class has a diagram of its own."""
FEW = 10
"""Number of detections below which a bin shows chance only, and is not drawn."""

_COLUMNS = 4
_BEFORE, _AFTER = palette.SERIES[1], palette.ACCENT
_AS_DETECTED, _SCALED = "as detected", "scaled"


def draw_calibration_figures(results: Mapping[str, CalibrationResult]) -> dict[str, Figure]:
    """Diagrams of all detections and of classes, by the name of the figure; none without any."""
    for name, result in results.items():
        if result.overall.num_detections:
            figures = {"reliability": _draw_all(result, name)}
            names = [
                each for each, found in result.per_class.items() if found.num_detections >= ENOUGH
            ]
            if len(names) > 1:
                figures["class_reliability"] = _draw_classes(result, name, names)
            return figures
    return {}


def _draw_all(result: CalibrationResult, protocol: str) -> Figure:
    about = f"{protocol} · {counted(result.overall.num_detections, 'detection')}"
    figure, (diagram, histogram) = new_figure(
        "Can scores be read as probabilities?", about, height_in=4.9, heights=(3.0, 1.0)
    )
    shown = _lines(result, result.overall, result.scaled_overall)
    _draw_diagram(diagram, shown)
    diagram.set_ylabel("share of detections that are right")
    diagram.tick_params(labelbottom=False)
    if len(shown) > 1:
        add_legend(diagram, columns=2)
    width = 1 / NUM_BINS / (len(shown) + 0.3)
    for number, (label, (found, colour)) in enumerate(shown.items()):
        histogram.bar(
            [each.low + (number + 0.5) * width for each in found.bins],
            [each.num_detections for each in found.bins],
            width,
            color=colour,
            label=label,
        )
    histogram.set(xlim=(0, 1), yscale="log", xlabel="score", ylabel="detections")
    histogram.yaxis.set_major_formatter("{x:,.0f}")
    histogram.minorticks_off()
    histogram.grid(axis="y", color=palette.LINE, linewidth=0.8)
    return figure


def _draw_classes(result: CalibrationResult, protocol: str, names: list[str]) -> Figure:
    num_rows = -(-len(names) // _COLUMNS)
    figure, axes = new_figure(
        "Share of right detections by score, class by class",
        f"{protocol} · classes with at least {ENOUGH} detections",
        height_in=0.6 + 1.65 * num_rows,
        num_axes=_COLUMNS,
        heights=(1.0,) * num_rows,
    )
    for place, name in zip(axes, names, strict=False):
        found = result.per_class[name]
        _draw_diagram(place, _lines(result, found, result.scaled_per_class.get(name)))
        place.set_title(name, fontsize=9, color=palette.INK, loc="left", parse_math=False)
        place.set(xticks=[0, 0.5, 1], yticks=[0, 0.5, 1])
        place.tick_params(labelsize=7.5)
    for place in axes[len(names) :]:
        place.set_axis_off()
    return figure


def _lines(
    result: CalibrationResult, found: Reliability, scaled: Reliability | None
) -> dict[str, tuple[Reliability, str]]:
    """What is drawn by its name, with its colour."""
    if result.are_calibrated:
        return {_SCALED: (found, _AFTER)}
    lines = {_AS_DETECTED: (found, _BEFORE)}
    return lines if scaled is None else {**lines, _SCALED: (scaled, _AFTER)}


def _draw_diagram(axes: Axes, lines: Mapping[str, tuple[Reliability, str]]) -> None:
    axes.plot([0, 1], [0, 1], color=palette.MUTED, linewidth=1, linestyle=":")
    for label, (found, colour) in lines.items():
        bins = [each for each in found.bins if each.num_detections >= FEW]
        axes.plot(
            [each.mean_score for each in bins],
            [each.share_right for each in bins],
            color=colour,
            linewidth=1.4,
            marker="o",
            markersize=3.5,
            label=label,
        )
    axes.grid(color=palette.LINE, linewidth=0.8)
    axes.set(xlim=(0, 1), ylim=(0, 1.02))
