"""Figure of scores relative to those of unchanged recordings."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.reports.figure_style import new_figure
from etram_pipeline.robustness.scores import RobustnessScore

_COLUMNS = 3
_ROW_IN = 1.75
_TITLE_IN = 0.7
_TOP = 1.25
"""Where the vertical axis ends, unless values or intervals are higher."""


def draw_robustness(scores: Sequence[RobustnessScore], name: str) -> Figure:
    """A value relative to that without a change, over the severity, one panel for each change.

    Args:
        scores: At least one; all by one protocol.
        name: The value.
    """
    metrics = scores[0].metrics
    titles = {value.name: value.title for value in metrics.protocol.values}
    changes = list(dict.fromkeys(score.change for score in scores))
    columns = min(_COLUMNS, len(changes))
    num_rows = -(-len(changes) // columns)
    largest = max(scores, key=lambda score: score.metrics.num_frames).metrics
    labels, frames = counted(largest.num_labels, "label"), counted(largest.num_frames, "frame")
    figure, panels = new_figure(
        f"{titles[name]} relative to unchanged recordings",
        f"{metrics.protocol.name} · {labels} in {frames} of {metrics.split} · shaded: intervals "
        "over recordings",
        _TITLE_IN + num_rows * _ROW_IN,
        num_axes=columns,
        heights=(1.0,) * num_rows,
    )
    for axes in panels[len(changes) :]:
        axes.remove()
    for axes, change in zip(panels, changes, strict=False):
        chosen = [score for score in scores if score.change == change and name in score.values]
        _draw_change(axes, chosen, name)
        axes.set_title(change.replace("_", " "), loc="left", fontsize=9.5, color=palette.INK)
    return figure


def _draw_change(axes: Axes, scores: Sequence[RobustnessScore], name: str) -> None:
    ordered = sorted(scores, key=lambda score: score.severity)
    ratios = [score.values[name].ratio for score in ordered]
    places = range(len(ordered))
    values = [ratio.value for ratio in ratios]
    lows = [ratio.value if ratio.low is None else ratio.low for ratio in ratios]
    highs = [ratio.value if ratio.high is None else ratio.high for ratio in ratios]
    colour = palette.SERIES[0]
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    axes.axhline(1, color=palette.MUTED, linewidth=1, linestyle=":")
    axes.fill_between(places, lows, highs, color=colour, alpha=0.2, linewidth=0)
    axes.plot(places, values, "o-", color=colour, linewidth=2, markersize=4)
    axes.set_xticks(places, [f"{score.severity:g}" for score in ordered])
    axes.set_xlim(-0.3, len(ordered) - 0.7)
    axes.set_ylim(0, max(_TOP, 1.02 * max(highs, default=0)))
    axes.set_xlabel(ordered[0].unit if ordered else "")
