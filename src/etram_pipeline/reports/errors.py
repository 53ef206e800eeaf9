"""Which kinds of mistakes cost most, in figures, a table and words."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from etram_pipeline.analysis.error_report import ErrorCosts, ErrorReport
from etram_pipeline.analysis.judgement import KINDS, Kind
from etram_pipeline.core.counts import counted
from etram_pipeline.drawing import palette
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.reports.figure_style import new_figure
from etram_pipeline.reports.tables import Table
from etram_pipeline.reports.wording import size_name

_MISTAKES: dict[Kind, str] = {
    "class": "wrong classes",
    "location": "misplaced boxes",
    "both": "boxes with wrong class and place",
    "duplicate": "second detections of an object",
    "background": "detections where nothing is",
    "missed": "missed objects",
}
_WRITTEN = 0.005
"""Least gain that is written at its bar."""


@dataclass(frozen=True)
class ErrorSection:
    """Costs of mistakes as the page shows them.

    Attributes:
        name: Protocol of the numbers.
        facts: What they say.
        kinds: By kind of mistake.
    """

    name: str
    facts: tuple[str, ...]
    kinds: Table


def error_section(reports: Mapping[str, ErrorReport]) -> ErrorSection | None:
    """The section on mistakes; None without labels."""
    for name, report in reports.items():
        if report.overall.average_precision != NO_GROUND_TRUTH:
            return ErrorSection(name, error_facts(report), error_table(report))
    return None


def error_facts(report: ErrorReport) -> tuple[str, ...]:
    """What costs most, and where, in sentences."""
    costs, main = report.overall, report.overall.main
    if main is None:
        return ("No single kind of mistake costs anything.",)
    gains = {name: part.gains[main] for name, part in report.per_class.items()}
    worst = max(gains, key=gains.__getitem__, default=None)
    place = f", most of all for {worst} (by {gains[worst]:.3f})." if worst is not None else "."
    return (
        f"{_MISTAKES[main].capitalize()} cost most: repairing them alone would raise AP at IoU "
        f"{report.foreground_iou:g} from {costs.average_precision:.3f} by {costs.gains[main]:.3f}"
        f"{place}",
        f"Without any false detection it would rise by {costs.false_positives:.3f}, without any "
        f"object that is not found by {costs.false_negatives:.3f}.",
        f"A detection is misplaced if it overlaps an object of its class by "
        f"{report.background_iou:g} to {report.foreground_iou:g}. Gains do not add up: after one "
        "repair, others gain more or less.",
    )


def error_table(report: ErrorReport) -> Table:
    """One row per kind, in the order of the paper."""
    costs = report.overall
    return Table(
        header=("kind", "mistakes", "number", "gain in AP without them"),
        rows=tuple(
            (kind, _MISTAKES[kind], costs.counts[kind], costs.gains[kind]) for kind in KINDS
        ),
    )


def draw_error_figures(reports: Mapping[str, ErrorReport]) -> dict[str, Figure]:
    """Gains by kind, and by kind and group; no figure without labels."""
    for name, report in reports.items():
        if report.overall.average_precision != NO_GROUND_TRUTH:
            return {
                "error_gains": draw_gains(report, name),
                "error_groups": draw_groups(report, name),
            }
    return {}


def draw_gains(report: ErrorReport, protocol: str) -> Figure:
    """One bar for each kind, and two for all false detections and all objects not found."""
    costs, iou = report.overall, report.foreground_iou
    title = f"What each kind of mistake costs: gain in AP at IoU {iou:g} without it"
    about = f"{protocol} · AP {costs.average_precision:.3f} as it is"
    figure, (axes,) = new_figure(title, about, height_in=3.4)
    gains: dict[str, float] = {str(kind): gain for kind, gain in costs.gains.items()}
    gains |= {"all false detections": costs.false_positives, "all not found": costs.false_negatives}
    colours = [palette.ACCENT] * len(costs.gains) + [palette.MUTED] * 2
    rows = [*range(len(costs.gains)), len(costs.gains) + 0.4, len(costs.gains) + 1.4]
    axes.barh(rows, list(gains.values()), 0.66, color=colours)
    largest = max([*gains.values(), 0.01])
    for row, (name, gain) in zip(rows, gains.items(), strict=True):
        number = [f" ({counted(costs.counts[kind], 'mistake')})" for kind in KINDS if kind == name]
        text = f"+{gain:.3f}{''.join(number)}"
        place = gain + 0.012 * largest
        axes.text(place, row, text, va="center", fontsize=8, color=palette.INK)
    axes.set_yticks(rows, list(gains))
    axes.set(xlim=(0, 1.35 * largest), ylim=(max(rows) + 0.6, -0.6))
    axes.grid(axis="x", color=palette.LINE, linewidth=0.8)
    return figure


def draw_groups(report: ErrorReport, protocol: str) -> Figure:
    """One column of bars for each kind, with a row for each class, size and light."""
    groups = list(_groups(report))
    largest = max([gain for _, costs, _, _ in groups for gain in costs.gains.values()] + [0.01])
    title = "Gain in AP without one kind of mistake, by class, size and light"
    figure, columns = new_figure(title, protocol, 1.1 + 0.27 * len(groups), len(KINDS))
    for kind, axes in zip(KINDS, columns, strict=True):
        _draw_kind(axes, kind, groups)
        axes.set(xlim=(0, 1.5 * largest), ylim=(groups[-1][2] + 0.6, -0.6))
        axes.set_title(kind, fontsize=9, color=palette.INK)
        axes.set_xticks([])
        axes.set_yticks([])
    names = [name for name, _, _, _ in groups]
    columns[0].set_yticks([row for _, _, row, _ in groups], names, parse_math=False)
    return figure


_Group = tuple[str, ErrorCosts, float, str]
"""Name, costs, row in the figure and colour of a group."""


def _draw_kind(axes: Axes, kind: Kind, groups: list[_Group]) -> None:
    gains = [costs.gains[kind] for _, costs, _, _ in groups]
    rows = [row for _, _, row, _ in groups]
    axes.barh(rows, np.clip(gains, 0, None), 0.7, color=[colour for _, _, _, colour in groups])
    for row, gain in zip(rows, gains, strict=True):
        if gain >= _WRITTEN:
            axes.text(gain, row, f" {gain:.2f}", va="center", fontsize=7, color=palette.INK)


def _groups(report: ErrorReport) -> Iterator[_Group]:
    """Classes that have labels, sizes and lights, with a gap between these."""
    row = 0.0
    parts = {
        "class": report.per_class,
        "size": {size_name(size): costs for size, costs in report.per_size.items()},
        "light": report.per_light,
    }
    for part, costs_of in parts.items():
        for number, (name, costs) in enumerate(costs_of.items()):
            if costs.average_precision == NO_GROUND_TRUTH:
                continue
            by_class = part == "class"
            yield name, costs, row, palette.class_colour(number) if by_class else palette.ACCENT
            row += 1
        row += 0.4
