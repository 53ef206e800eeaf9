"""Figures of saved metrics and of a saved training history."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH, Value
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.curves import draw_losses, draw_validation
from etram_pipeline.reports.figure_style import add_legend, draw_nothing, new_figure, show_from_zero
from etram_pipeline.reports.wording import NO_LABELS, area_text, size_name

_DARK_SHADE = 0.55
_LINE_STYLES = ("-", "--", ":", "-.")


def draw_report_figures(
    metrics: Mapping[str, Metrics],
    history: Sequence[Mapping[str, object]] | None,
    headline: str,
    validated_by: Protocol | None = None,
) -> dict[str, Figure]:
    """Every figure that the saved results allow, by name.

    Args:
        metrics: Metrics by protocol.
        history: Rows `step`, `name`, `value` logged while training; None draws no curves.
        headline: Protocol of the figures; no figure mixes protocols.
        validated_by: Protocol of the validations while training; None: `headline`.

    Raises:
        ProtocolError: If `headline` was not evaluated.
    """
    shown = metrics.get(headline)
    if shown is None:
        raise ProtocolError(
            f"metrics of {headline!r} are wanted, but those evaluated are {sorted(metrics)}: "
            "change report.headline or evaluate"
        )
    labels, frames = counted(shown.num_labels, "label"), counted(shown.num_frames, "frame")
    about = f"{headline} · {labels} in {frames}"
    figures: dict[str, Figure | None] = {
        "precision_recall": draw_precision_recall(shown, about),
        "class_precision": draw_class_precision(shown, about),
        "confusion": draw_confusion(shown, headline),
        "size_precision": draw_size_precision(shown, about),
        "condition_precision": draw_condition_precision(shown, about),
        "losses": draw_losses(history or ()),
        "validation": draw_validation(history or (), validated_by or shown.protocol),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def draw_precision_recall(metrics: Metrics, about: str) -> Figure | None:
    """One curve per class at the protocol's `curve_iou`, up to the largest recall it reaches.

    The legend gives AP at this overlap, and names classes without ground truth. None without
    curves.
    """
    if not metrics.precision_recall:
        return None
    title = f"Precision and recall of each class at IoU {metrics.protocol.curve_iou:g}"
    figure, (axes,) = new_figure(title, about, height_in=5.0)
    axes.grid(color=palette.LINE, linewidth=0.8)
    for class_id, (name, precision) in enumerate(metrics.precision_recall.items()):
        curve = np.array(precision)
        reached = curve[: int(np.flatnonzero(curve > 0).max(initial=-1)) + 1]
        area = float(curve.mean())
        axes.plot(
            np.linspace(0, 1, len(curve))[: len(reached)],
            reached,
            color=palette.class_colour(class_id),
            linestyle=_LINE_STYLES[class_id // len(palette.CLASS_COLOURS) % len(_LINE_STYLES)],
            linewidth=2.2,
            marker="o",
            markevery=[-1] if len(reached) else None,
            markersize=5,
            label=f"{name}  {area:.2f}" if area >= 0 else f"{name}  {NO_LABELS}",
        )
    axes.set(xlim=(0, 1.01), ylim=(0, 1.02), aspect="auto")
    axes.set_xlabel("recall: share of labelled objects that are found")
    axes.set_ylabel("precision: share of detections that are right")
    add_legend(axes, columns=3, below=True)
    return figure


def draw_class_precision(metrics: Metrics, about: str) -> Figure:
    """The first two headline values of each class beside the number of its labels."""
    names = list(metrics.per_class)
    values = [each for each in metrics.protocol.shown("headline") if each.name in metrics.overall]
    height_in = 1.3 + 0.34 * len(names)
    title = f"{_title(metrics)} of each class, and number of its labels"
    figure, (scores, counts) = new_figure(title, about, height_in=height_in, num_axes=2)
    rows = np.arange(len(names))
    for row, name in zip(rows.tolist(), names, strict=True):
        found = metrics.per_class[name].metrics
        _draw_class_row(scores, row, [found.get(each.name) for each in values[:2]])
    if scores.dataLim.xmax <= 1:
        scores.set(xlim=(0, 1.12), xticks=[0, 0.25, 0.5, 0.75, 1])
    titles = [each.title for each in values[:2]]
    scores.set_xlabel(
        " and ".join(map(" ".join, zip(titles, ("(solid)", "(pale)"), strict=False)))
        if len(titles) > 1
        else titles[0]
    )
    num_labels = [metrics.per_class[name].num_labels for name in names]
    counts.barh(rows, num_labels, 0.62, color=palette.MUTED)
    for row, number in zip(rows.tolist(), num_labels, strict=True):
        text = f"{number:,}"
        counts.text(max(number, 0.6) * 1.12, row, text, va="center", fontsize=8, color=palette.INK)
    counts.set(xlim=(0.6, 15 * max([*num_labels, 1])), xscale="log")
    counts.xaxis.set_major_formatter("{x:,.0f}")
    counts.minorticks_off()
    counts.set_xlabel("labels (logarithmic)")
    for axes in (scores, counts):
        axes.grid(axis="x", color=palette.LINE, linewidth=0.8)
        axes.set_ylim(len(names) - 0.4, -0.6)
    scores.set_yticks(rows, names, parse_math=False)
    counts.set_yticks([])
    return figure


def draw_confusion(metrics: Metrics, headline: str) -> Figure:
    """Shares of each true class by detected class, with the counts they come from."""
    counts = np.array(metrics.confusion.counts, dtype=np.int64)
    totals = counts.sum(axis=1, keepdims=True)
    shares = np.divide(counts, totals, out=np.zeros(counts.shape), where=totals > 0)
    names = list(metrics.confusion.class_names)
    least = metrics.protocol.confusion_score
    about = f"{headline} · detections of confidence {least:g} or more · rows sum to 100 %"
    figure, (axes,) = new_figure("What is taken for what", about, height_in=6.0)
    clear, full = to_rgba(palette.ACCENT, 0), to_rgba(palette.ACCENT, 1)
    shades = LinearSegmentedColormap.from_list("shades", [clear, full])
    axes.pcolormesh(shares, cmap=shades, vmin=0, vmax=1, edgecolor=palette.LINE, linewidth=0.6)
    for (row, column), count in np.ndenumerate(counts):
        if count:
            _write_share(axes, column, row, shares[row, column], int(count))
    ends = np.arange(len(names)) + 0.5
    detected = [*names[:-1], "missed"]
    labelled = [*names[:-1], "false alarm"]
    axes.set_xticks(ends, detected, rotation=40, ha="left", parse_math=False)
    axes.set_yticks(ends, labelled, parse_math=False)
    for row in np.flatnonzero(totals[:-1] == 0).tolist():
        axes.text(
            0.15, row + 0.5, NO_LABELS, va="center", fontsize=8, color=palette.MUTED, style="italic"
        )
    axes.xaxis.tick_top()
    axes.xaxis.set_label_position("top")
    axes.invert_yaxis()
    axes.set(xlabel="detected as", ylabel="labelled as")
    axes.spines[:].set_visible(False)
    return figure


def draw_size_precision(metrics: Metrics, about: str) -> Figure | None:
    """Values of small, medium and large objects; None if no metric has them."""
    values = metrics.protocol.shown("sizes")
    if not values:
        return None
    title = f"{_title(metrics)} by size of the object"
    figure, (axes,) = new_figure(title, about, height_in=3.4)
    counts = metrics.label_counts.get("all")
    names = [
        f"{size_name(size)}\n{area_text(metrics.protocol, size)}"
        + (f"\n{counts.by_size[size]:,} labels" if counts else "")
        for size in metrics.protocol.area_ranges
    ]
    _draw_grouped(axes, names, _by_group(metrics, values))
    axes.set_ylabel(metrics.protocol.monitored.title)
    return figure


def draw_condition_precision(metrics: Metrics, about: str) -> Figure | None:
    """Values of all recordings beside those of each group; None where there are no groups."""
    if not metrics.groups:
        return None
    values = [each for each in metrics.protocol.shown("protocols") if each.name in metrics.overall]
    figure, (axes,) = new_figure(f"{_title(metrics)} by light", about, height_in=3.2)
    _draw_grouped(axes, [each.title for each in values], _by_group(metrics, values))
    return figure


def draw_absence(headline: str) -> Figure:
    """A figure that says that the metrics of a protocol do not allow the figure asked for."""
    return draw_nothing("No values", f"the metrics of {headline} have no values for this figure")


def _title(metrics: Metrics) -> str:
    """Name of the first metric, at the beginning of a title."""
    return metrics.protocol.metrics[0].title.capitalize()


def _by_group(metrics: Metrics, values: Sequence[Value]) -> dict[str, list[float]]:
    groups = {"all": metrics.overall, **metrics.groups}
    return {
        group: [found.get(each.name, NO_GROUND_TRUTH) for each in values]
        for group, found in groups.items()
    }


def _draw_class_row(axes: Axes, row: int, values: Sequence[float | None]) -> None:
    """Bars of one class, the first value before the second; a class may have neither."""
    known = [value for value in values if value is not None and value != NO_GROUND_TRUTH]
    if not known:
        axes.text(
            0.02, row, NO_LABELS, va="center", fontsize=8, color=palette.MUTED, style="italic"
        )
        return
    colours = (palette.ACCENT, palette.ACCENT_PALE)
    for value, colour in reversed(list(zip(known, colours, strict=False))):
        axes.barh(row, value, 0.62, color=colour)
    axes.text(
        max(known) + 0.02,
        row,
        " / ".join(f"{value:.2f}" for value in known),
        va="center",
        fontsize=8,
        color=palette.INK,
    )


def _write_share(axes: Axes, column: int, row: int, share: float, count: int) -> None:
    ink = "white" if share > _DARK_SHADE else palette.INK
    text = f"{share:.0%}" if round(share, 2) else "<1%"
    axes.text(column + 0.5, row + 0.42, text, ha="center", va="center", fontsize=8.5, color=ink)
    axes.text(
        column + 0.5, row + 0.74, f"{count:,}", ha="center", va="center", fontsize=6.8, color=ink
    )


def _draw_grouped(axes: Axes, places: Sequence[str], bars: Mapping[str, Sequence[float]]) -> None:
    """Bars of several groups side by side at each place, -1 written as the absence it means."""
    width = 0.8 / len(bars)
    for number, (group, values) in enumerate(bars.items()):
        centres = np.arange(len(places)) + (number - (len(bars) - 1) / 2) * width
        colour = palette.SERIES[number % len(palette.SERIES)]
        axes.bar(
            centres, [max(value, 0) for value in values], 0.92 * width, color=colour, label=group
        )
        for centre, value in zip(centres.tolist(), values, strict=True):
            known = value >= 0
            axes.text(
                centre,
                max(value, 0) + 0.015,
                f"{value:.2f}" if known else NO_LABELS.replace(" ", "\n", 1),
                ha="center",
                va="bottom",
                fontsize=8 if known else 7,
                color=palette.INK if known else palette.MUTED,
            )
    show_from_zero(axes, [each for values in bars.values() for each in values], headroom=0.05)
    axes.set_xlim(-0.6, len(places) - 0.4)
    axes.set_xticks(range(len(places)), places)
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    add_legend(axes, columns=len(bars))
