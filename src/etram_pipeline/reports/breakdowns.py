"""Figures of what is found by speed, occlusion and other attributes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.drawing import palette
from etram_pipeline.reports.figure_style import new_figure

Rows = Sequence[Mapping[str, Any]]
"""Rows of the table of breakdowns."""

_RECORDING = "recording"
MOST_RECORDINGS = 8
"""Recordings drawn, of which one may have hundreds."""
_PANELS = 3
"""Attributes in a figure."""


def draw_breakdown_figures(rows: Rows) -> dict[str, Figure]:
    """The share of objects found by attribute, in as many figures as it takes."""
    names = list(dict.fromkeys(row["attribute"] for row in rows))
    parts = [names[start : start + _PANELS] for start in range(0, len(names), _PANELS)]
    return {
        "breakdowns" if not number else f"breakdowns_{number + 1}": draw_breakdowns(
            [row for row in rows if row["attribute"] in part]
        )
        for number, part in enumerate(parts)
    }


def draw_breakdowns(rows: Rows) -> Figure:
    """A point for each bin with its interval, and the number of its labels.

    Of many recordings, those in which least is found.

    Args:
        rows: At least one, attribute by attribute; all by one protocol.
    """
    names = list(dict.fromkeys(row["attribute"] for row in rows))
    panels: list[Rows] = [[row for row in rows if row["attribute"] == name] for name in names]
    panels = [_worst(panel) if panel[0]["attribute"] == _RECORDING else panel for panel in panels]
    heights = [1.0 + 0.4 * len(panel) for panel in panels]
    score = rows[0]["score"]
    limit = "" if np.isnan(score) else f" · detections with a score of at least {score:.2f}"
    figure, axes = new_figure(
        "Share of labelled objects that are found",
        f"{rows[0]['protocol']}{limit}",
        height_in=0.6 + 0.55 * sum(heights),
        heights=heights,
    )
    for each, panel in zip(axes, panels, strict=True):
        _draw_panel(each, panel)
    return figure


def _worst(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: row["recall"])[:MOST_RECORDINGS]


def _draw_panel(axes: Axes, rows: Rows) -> None:
    places = np.arange(len(rows))
    recall = np.array([row["recall"] for row in rows])
    ends = np.array([[row["low"], row["high"]] for row in rows], np.float64)
    axes.hlines(places, *ends.T, color=palette.ACCENT_PALE, linewidth=4)
    axes.plot(recall, places, "o", color=palette.ACCENT, markersize=5)
    for place, row in zip(places.tolist(), rows, strict=True):
        axes.text(
            1.04, place, f"{row['num_labels']:,}", va="center", fontsize=7, color=palette.MUTED
        )
    names = [str(row["bin"]).rpartition("/")[2] for row in rows]
    axes.set_yticks(places, names, parse_math=False)
    axes.set(xlim=(0, 1.02), ylim=(len(rows) - 0.4, -0.6), xticks=[0, 0.25, 0.5, 0.75, 1])
    axes.set_xticklabels(["0", "", "0.5", "", "1"])
    axes.grid(axis="x", color=palette.LINE, linewidth=0.8)
    unit = f" ({rows[0]['unit']})" if isinstance(rows[0]["unit"], str) and rows[0]["unit"] else ""
    axes.set_title(f"{rows[0]['title']}{unit}", fontsize=9, color=palette.INK, loc="left")
