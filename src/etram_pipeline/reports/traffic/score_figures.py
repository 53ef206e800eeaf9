"""Figures of scores of tracks and of errors of counts."""

import numpy as np
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.reports.figure_style import add_legend, new_figure
from etram_pipeline.reports.traffic.score_tables import CountMetricsByName, TrackMetricsByName

_CURVES = ("HOTA", "DetA", "AssA")
_BAR = 0.36


def draw_score_figures(tracks: TrackMetricsByName, counts: CountMetricsByName) -> dict[str, Figure]:
    """Every figure that the saved scores allow, by name; those of the first protocol, if any.

    Args:
        tracks: Scores of tracks by protocol.
        counts: Errors of counts by set of lines.
    """
    scored = next(iter(tracks.values()), None)
    figures = {f"count_lines_{name}": _draw_counts(name, one) for name, one in counts.items()}
    if scored is not None and scored.num_labels:
        figures["hota_thresholds"] = _draw_thresholds(scored)
    return figures


def _draw_thresholds(metrics: TrackMetrics) -> Figure:
    """HOTA and its parts at each overlap."""
    labels = counted(metrics.num_labels, "label")
    about = f"{metrics.protocol.name} · {labels} in {counted(metrics.num_moments, 'moment')}"
    figure, (axes,) = new_figure("HOTA at each overlap", about, height_in=3.6)
    axes.grid(color=palette.LINE, linewidth=0.8)
    for place, name in enumerate(_CURVES):
        axes.plot(
            metrics.protocol.iou_thresholds,
            metrics.by_threshold[name],
            color=palette.SERIES[place],
            linewidth=2.4 if name == "HOTA" else 1.8,
            linestyle="-" if name == "HOTA" else "--",
            label=f"{name} {metrics.overall[name]:.3f}",
        )
    axes.set(xlabel="overlap (IoU) of a match", ylabel="score", xlim=(0, 1), ylim=(0, 1.02))
    add_legend(axes, columns=3)
    return figure


def _draw_counts(name: str, metrics: CountMetrics) -> Figure:
    """True and counted crossings of each line and direction, side by side."""
    flows = [
        (f"{line}, {direction}", scores)
        for line, directions in metrics.per_direction.items()
        for direction, scores in directions.items()
    ]
    about = (
        f"{name} · {counted(metrics.overall.true, 'true crossing')} in {metrics.observed_s:,.0f} s"
    )
    height_in = 1.25 + 0.36 * max(len(flows), 1)
    figure, (axes,) = new_figure("True and counted crossings of each line", about, height_in)
    axes.grid(axis="x", color=palette.LINE, linewidth=0.8)
    rows = np.arange(len(flows))
    for side, (label, colour) in enumerate(
        (("true", palette.ACCENT_PALE), ("counted", palette.ACCENT))
    ):
        numbers = [getattr(scores, label) for _, scores in flows]
        axes.barh(rows + (side - 0.5) * _BAR, numbers, _BAR, color=colour, label=label)
    axes.set_yticks(rows, [flow for flow, _ in flows], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("crossings")
    add_legend(axes, columns=2)
    return figure
