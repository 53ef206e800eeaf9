"""Metrics as small tables: for the page, for Markdown and for CSV."""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from etram_pipeline.core.spreadsheet import inert
from etram_pipeline.evaluation.metrics import NO_GROUND_TRUTH
from etram_pipeline.evaluation.result import Metrics
from etram_pipeline.reports.wording import area_text, interval_text, number_text, size_name

_NOT_MEASURED = "–"  # noqa: RUF001  # a dash that is as wide as a digit

Cell = str | int | float | None
"""Content of a cell; None: there is no ground truth."""


@dataclass(frozen=True)
class Table:
    """Rows of equal length under a header.

    Attributes:
        header: Name of each column.
        rows: Cells, in the order of the columns.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def markdown(self) -> str:
        """The table in Markdown, numbers aligned right."""
        first = self.rows[0] if self.rows else ("",) * len(self.header)
        rule = ["---" if isinstance(cell, str) else "--:" for cell in first]
        cells = [[number_text(cell).replace("|", "\\|") for cell in row] for row in self.rows]
        lines = [list(self.header), rule, *cells]
        return "".join(f"| {' | '.join(line)} |\n" for line in lines)

    def csv(self) -> str:
        """The table as CSV with full precision; a cell without ground truth is empty.

        Names that a spreadsheet would run as formulas have an apostrophe before them.
        """
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerows([map(inert, row) for row in (self.header, *self.rows)])
        return text.getvalue()


def class_table(metrics: Metrics) -> Table:
    """One row per class."""
    values = metrics.protocol.shown("classes")
    return Table(
        header=(
            "class",
            "labels",
            "detections",
            *(value.title for value in values),
            *_interval_header(metrics),
        ),
        rows=tuple(
            (
                name,
                part.num_labels,
                part.num_detections,
                *(_cell_of(part.metrics, value.name) for value in values),
                *_interval_cell(metrics, _monitored(metrics), class_name=name),
            )
            for name, part in metrics.per_class.items()
        ),
    )


def condition_table(metrics: Metrics) -> Table:
    """One row for all recordings and one for each group of them."""
    values = metrics.protocol.shown("recordings")
    return Table(
        header=(
            "recordings",
            "labels",
            *(value.title for value in values),
            *_interval_header(metrics),
        ),
        rows=tuple(
            (
                group,
                counts.total if (counts := metrics.label_counts.get(group)) else _NOT_MEASURED,
                *(_cell_of(found, value.name) for value in values),
                *_interval_cell(metrics, _monitored(metrics), group=group),
            )
            for group, found in _by_group(metrics).items()
        ),
    )


def size_table(metrics: Metrics) -> Table:
    """One row for each area range of each group of recordings; no rows if no metric has them."""
    values = metrics.protocol.shown("sizes")
    sizes = metrics.protocol.area_ranges if values else {}
    return Table(
        header=(
            "size",
            "area",
            "recordings",
            "labels",
            metrics.protocol.monitored.title,
            *_interval_header(metrics),
        ),
        rows=tuple(
            (
                size_name(size),
                area_text(metrics.protocol, size),
                group,
                counts.by_size[size]
                if (counts := metrics.label_counts.get(group))
                else _NOT_MEASURED,
                _cell_of(found, value.name),
                *_interval_cell(metrics, value.name, group=group),
            )
            for size, value in zip(sizes, values, strict=False)
            for group, found in _by_group(metrics).items()
        ),
    )


def operating_table(metrics: Metrics) -> Table:
    """One row per class and one for all at the operating point; no rows without one."""
    point = metrics.operating_point
    values = metrics.protocol.shown("headline")
    of_class = {name: part.metrics for name, part in metrics.per_class.items()}
    found = {**point.per_class, "all classes": point.overall} if point else {}
    return Table(
        header=(
            "class",
            "labels",
            *(value.title for value in values),
            "score",
            "precision",
            "recall",
            "F1",
            "detections",
        ),
        rows=tuple(
            (
                name,
                part.num_labels,
                *(_cell_of(of_class.get(name, metrics.overall), each.name) for each in values),
                part.score,
                *(_cell_of(part.model_dump(), each) for each in ("precision", "recall", "f1")),
                part.num_detections,
            )
            for name, part in found.items()
        ),
    )


def mistake_table(metrics: Metrics, num_rows: int = 6) -> Table:
    """The most frequent mistakes on labelled objects, with their share of the class."""
    counts = metrics.confusion.counts
    names = (*metrics.confusion.class_names[:-1], "missed")
    mistakes = [
        (names[truth], names[found], counts[truth][found], counts[truth][found] / sum(row))
        for truth, row in enumerate(counts[:-1])
        for found in range(len(row))
        if found != truth and counts[truth][found]
    ]
    mistakes.sort(key=lambda mistake: -mistake[2])
    return Table(
        ("labelled as", "detected as", "count", "share of class"), tuple(mistakes[:num_rows])
    )


def protocol_table(metrics: Mapping[str, Metrics]) -> Table:
    """One row per protocol; the rows must not be compared with each other."""
    titles = {
        value.name: value.title
        for one in metrics.values()
        for value in one.protocol.shown("protocols")
    }
    return Table(
        header=("protocol", *titles.values(), "classes", "labels", "frames", "class-aware"),
        rows=tuple(
            (
                name,
                *(_cell_of(one.overall, value) for value in titles),
                len(one.per_class),
                one.num_labels,
                one.num_frames,
                "yes" if one.protocol.class_aware else "no: classes not told apart",
            )
            for name, one in metrics.items()
        ),
    )


def records_table(records: Sequence[Mapping[str, object]]) -> Table:
    """Rows given as mappings; the columns are those of the first."""
    columns = tuple(records[0]) if records else ()
    return Table(
        header=tuple(column.replace("_", " ") for column in columns),
        rows=tuple(tuple(_cell(record.get(name, "")) for name in columns) for record in records),
    )


def _by_group(metrics: Metrics) -> dict[str, dict[str, float]]:
    return {"all": metrics.overall, **metrics.groups}


def _monitored(metrics: Metrics) -> str:
    return metrics.protocol.monitored.name


def _interval_header(metrics: Metrics) -> tuple[str, ...]:
    """Header of a column with intervals of the value that tells the better of two detectors."""
    if not metrics.intervals:
        return ()
    return (f"{100 * metrics.interval_level:g} % interval of {metrics.protocol.monitored.title}",)


def _interval_cell(
    metrics: Metrics, value: str, *, class_name: str = "", group: str = "all"
) -> tuple[str, ...]:
    if not metrics.intervals:
        return ()
    found = metrics.interval_of(value, class_name=class_name, group="" if group == "all" else group)
    return (interval_text(found, digits=3) or _NOT_MEASURED,)


def _cell_of(values: Mapping[str, float], name: str) -> Cell:
    """A value: None without ground truth, a dash if it was not measured."""
    value = values.get(name)
    if value is None:
        return _NOT_MEASURED
    return None if value == NO_GROUND_TRUTH else value


def _cell(value: object) -> Cell:
    """NumPy's numbers as Python's, text as it is, and anything else as text."""
    plain = value.item() if hasattr(value, "item") else value
    if isinstance(plain, float) and math.isnan(plain):  # an empty field of a CSV file
        return ""
    return plain if isinstance(plain, str | int | float) else str(plain)
