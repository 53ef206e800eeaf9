"""Empty figures in the report's style, and figures as text for the page.

Nothing here goes through pyplot, whose list of open figures threads would share.
"""

import io
import re
import threading
from collections.abc import Sequence
from typing import Literal

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.drawing import palette

WIDTH_IN = 6.0
"""Width of every figure, in inches, so that their texts appear at one size."""

_LEFT = 0.012
_SVG_LOCK = threading.Lock()
_THEMED = {palette.INK: "--ink", palette.MUTED: "--muted", palette.LINE: "--line"}


def new_figure(
    title: str,
    subtitle: str,
    height_in: float,
    num_axes: int = 1,
    heights: Sequence[float] = (1.0,),
) -> tuple[Figure, list[Axes]]:
    """A figure titled at the top left, with rows of axes side by side.

    Args:
        title: First line.
        subtitle: Second line.
        height_in: Height in inches.
        num_axes: Axes in a row.
        heights: Relative height of each row.
    """
    figure = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    # The second line of the title is left empty, for the subtitle to stand in.
    figure.suptitle(
        f"{title}\n ",
        x=_LEFT,
        ha="left",
        fontsize=11.5,
        fontweight="bold",
        color=palette.INK,
        parse_math=False,
    )
    figure.text(
        _LEFT,
        1 - 0.31 / height_in,
        subtitle,
        va="top",
        fontsize=8.5,
        color=palette.MUTED,
        parse_math=False,
    )
    grid = figure.add_gridspec(len(heights), num_axes, height_ratios=heights)
    axes = [
        figure.add_subplot(grid[row, column])
        for row in range(len(heights))
        for column in range(num_axes)
    ]
    for each in axes:
        _style(each)
    return figure, axes


def draw_nothing(title: str, reason: str) -> Figure:
    """A figure that says why there are no values to draw."""
    figure, (axes,) = new_figure(title, reason, height_in=1.2)
    axes.set_axis_off()
    return figure


def add_legend(axes: Axes, columns: int = 1, *, below: bool = False) -> None:
    """A legend without a frame, above the axes at the right or below them."""
    corner: Literal["upper left", "lower right"] = "upper left" if below else "lower right"
    legend = axes.legend(
        ncols=columns,
        fontsize=8.5,
        frameon=False,
        labelcolor=palette.INK,
        handlelength=1.6,
        loc=corner,
        bbox_to_anchor=(-0.02, -0.14) if below else (1.01, 1.0),
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def show_from_zero(axes: Axes, values: Sequence[float], headroom: float = 0.02) -> None:
    """Let the vertical axis begin at 0, and end at 1 for values that are shares."""
    top = 1 if max(values, default=0) <= 1 else max(values)
    axes.set_ylim(0, top * (1 + headroom))


def figure_svg(figure: Figure) -> str:
    """The figure as an `<svg>` element whose texts follow the page's font and theme."""
    buffer = io.StringIO()
    # The choice of real text is a global of matplotlib's; the lock keeps threads from mixing it up.
    with _SVG_LOCK, mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "etram"}):
        figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
    svg = buffer.getvalue()
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    for colour, variable in _THEMED.items():
        svg = svg.replace(colour, f"var({variable})")
    return svg


def _style(axes: Axes) -> None:
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(palette.LINE)
    axes.tick_params(length=0, labelsize=8.5, labelcolor=palette.INK, pad=5)
    for axis in (axes.xaxis, axes.yaxis):
        axis.label.set(fontsize=9, color=palette.MUTED)
