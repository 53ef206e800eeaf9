"""Figures of saved metrics and of a saved training history."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH, Metrics
from etram_pipeline.reports import palette
from etram_pipeline.reports.curves import draw_losses, draw_validation
from etram_pipeline.reports.figure_style import add_legend, new_figure
from etram_pipeline.reports.wording import NO_LABELS, area_text, size_name

_DARK_SHADE = 0.55
_LINE_STYLES = ("-", "--", ":", "-.")


def draw_figures(
    metrics: Mapping[str, Metrics],
    history: Sequence[Mapping[str, object]] | None,
    headline: str,
) -> dict[str, Figure]:
    """Every figure the saved results allow, by name.

    Args:
        metrics: Metrics by protocol.
        history: Rows `step`, `name`, `value` logged while training; None draws no curves.
        headline: Protocol the figures show; those of several are never mixed in one figure.

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
        "validation": draw_validation(history or ()),
    }
    return {name: figure for name, figure in figures.items() if figure is not None}


def draw_precision_recall(metrics: Metrics, about: str) -> Figure:
    """One curve per class at the protocol's `curve_iou`, up to the largest recall it reaches.

    The legend gives AP at this overlap, and names classes without ground truth.
    """
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
    """AP, and AP50 where there is any, of each class beside the number of its labels."""
    names = list(metrics.per_class)
    height_in = 1.3 + 0.34 * len(names)
    title = "Average precision of each class, and what it rests on"
    figure, (scores, counts) = new_figure(title, about, height_in=height_in, num_axes=2)
    rows = np.arange(len(names))
    for row, name in zip(rows.tolist(), names, strict=True):
        _draw_class_row(scores, row, metrics.per_class[name].metrics)
    scores.set(xlim=(0, 1.12), xticks=[0, 0.25, 0.5, 0.75, 1])
    has_lenient = "AP_50" in metrics.overall
    scores.set_xlabel("AP (solid) and AP50 (pale)" if has_lenient else "AP")
    num_labels = [metrics.per_class[name].num_labels for name in names]
    counts.barh(rows, num_labels, 0.62, color=palette.MUTED)
    for row, number in zip(rows.tolist(), num_labels, strict=True):
        text = f"{number:,}" if number else NO_LABELS
        counts.text(max(number, 0.6) * 1.12, row, text, va="center", fontsize=8, color=palette.INK)
    counts.set(xscale="log", xlim=(0.6, 15 * max([*num_labels, 1])))
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


def draw_size_precision(metrics: Metrics, about: str) -> Figure:
    """AP of small, medium and large objects."""
    ranges = metrics.protocol.area_ranges
    groups = {"all": metrics.overall, **metrics.groups}
    bars = {
        group: [values.get(f"AP_{size}", NO_GROUND_TRUTH) for size in ranges]
        for group, values in groups.items()
    }
    figure, (axes,) = new_figure("Average precision by size of the object", about, height_in=3.4)
    names = [f"{size_name(size)}\n{area_text(metrics.protocol, size)}" for size in ranges]
    _draw_grouped(axes, names, bars)
    axes.set_ylabel("AP")
    return figure


def draw_condition_precision(metrics: Metrics, about: str) -> Figure | None:
    """AP of all recordings beside that of each group of them; None where there are no groups."""
    if not metrics.groups:
        return None
    kinds = {
        title: name
        for title, name in {"AP": "AP", "AP50": "AP_50", "AP75": "AP_75"}.items()
        if name in metrics.overall
    }
    groups = {"all": metrics.overall, **metrics.groups}
    bars = {
        group: [values.get(key, NO_GROUND_TRUTH) for key in kinds.values()]
        for group, values in groups.items()
    }
    figure, (axes,) = new_figure("Average precision by light", about, height_in=3.2)
    _draw_grouped(axes, list(kinds), bars)
    return figure


def _draw_class_row(axes: Axes, row: int, values: Mapping[str, float]) -> None:
    strict, lenient = values["AP"], values.get("AP_50")
    if strict < 0:
        axes.text(
            0.02, row, NO_LABELS, va="center", fontsize=8, color=palette.MUTED, style="italic"
        )
        return
    if lenient is not None:
        axes.barh(row, lenient, 0.62, color=palette.ACCENT_PALE)
    axes.barh(row, strict, 0.62, color=palette.ACCENT)
    axes.text(
        max(lenient or 0, strict) + 0.02,
        row,
        f"{strict:.2f}" if lenient is None else f"{strict:.2f} / {lenient:.2f}",
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
                f"{value:.2f}" if known else "no\nlabels",
                ha="center",
                va="bottom",
                fontsize=8 if known else 7,
                color=palette.INK if known else palette.MUTED,
            )
    axes.set(ylim=(0, 1.05), xlim=(-0.6, len(places) - 0.4))
    axes.set_xticks(range(len(places)), places)
    axes.grid(axis="y", color=palette.LINE, linewidth=0.8)
    add_legend(axes, columns=len(bars))
