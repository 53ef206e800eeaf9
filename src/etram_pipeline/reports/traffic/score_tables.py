"""Scores of tracks and errors of counts, as tables for the report."""

from collections.abc import Mapping

from etram_pipeline.evaluation.counts.result import CountMetrics, CountScores, Share
from etram_pipeline.evaluation.result import Interval
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.values import VALUES
from etram_pipeline.reports.tables import Cell, Table
from etram_pipeline.reports.wording import interval_text

SHOWN = ("HOTA", "DetA", "AssA", "IDF1", "MOTA")
"""Values of the report, in its order."""

_COUNTS = ("IDSW", "tracks", "labelled_tracks")
_COUNT_TITLES = ("switches", "tracks", "labelled tracks")
_NOT_MEASURED = "–"  # noqa: RUF001  # a dash that is as wide as a digit

TrackMetricsByName = Mapping[str, TrackMetrics]
CountMetricsByName = Mapping[str, CountMetrics]


def track_protocol_table(metrics: TrackMetricsByName) -> Table:
    """One row per protocol; the rows must not be compared with each other."""
    return Table(
        header=(
            "protocol",
            *_titles(),
            *_interval_title(*metrics.values()),
            *_COUNT_TITLES,
            "labels",
        ),
        rows=tuple(
            (
                name,
                *_values(one.overall, one.num_labels),
                *_interval(one.interval_of("HOTA"), *metrics.values()),
                *(one.counts[each] for each in _COUNTS),
                one.num_labels,
            )
            for name, one in metrics.items()
        ),
    )


def track_class_table(metrics: TrackMetrics) -> Table:
    """One row per class."""
    return Table(
        header=("class", *_titles(), *_interval_title(metrics), *_COUNT_TITLES, "labels"),
        rows=tuple(
            (
                name,
                *_values(part.metrics, part.num_labels),
                *_interval(metrics.interval_of("HOTA", class_name=name), metrics),
                *(part.counts[each] for each in _COUNTS),
                part.num_labels,
            )
            for name, part in metrics.per_class.items()
        ),
    )


def track_group_table(metrics: TrackMetrics) -> Table:
    """One row for all recordings and one for each group of them."""
    groups = {"": metrics.overall, **metrics.groups}
    return Table(
        header=("recordings", *_titles(), *_interval_title(metrics)),
        rows=tuple(
            (
                name or "all",
                *_values(found, metrics.num_labels),
                *_interval(metrics.interval_of("HOTA", group=name), metrics),
            )
            for name, found in groups.items()
        ),
    )


def count_table(metrics: CountMetricsByName) -> Table:
    """One row per set of lines."""
    return Table(
        header=("lines", *_COUNT_HEADER),
        rows=tuple((name, *_count_cells(one.overall)) for name, one in metrics.items()),
    )


def count_line_table(metrics: CountMetrics) -> Table:
    """One row per line and direction."""
    return Table(
        header=("line", "direction", *_COUNT_HEADER),
        rows=tuple(
            (line, direction, *_count_cells(scores))
            for line, directions in metrics.per_direction.items()
            for direction, scores in directions.items()
        ),
    )


def count_class_table(metrics: CountMetrics) -> Table:
    """One row per class that was crossed by."""
    return Table(
        header=("class", *_COUNT_HEADER),
        rows=tuple((name, *_count_cells(scores)) for name, scores in metrics.per_class.items()),
    )


def count_bin_table(metrics: CountMetrics) -> Table:
    """One row per length of bins."""
    return Table(
        header=("bins", "mean difference", "compared", "GEH < 5"),
        rows=tuple(
            (
                f"{each.bin_min} min",
                _number(each.mean_absolute_error, ".2f"),
                each.num_bins,
                _NOT_MEASURED
                if each.geh_below_5 is None
                else f"{100 * each.geh_below_5:.0f} % of {each.num_geh} flows",
            )
            for each in metrics.bin_errors
        ),
    )


def error_text(scores: CountScores) -> str:
    """Error of counts in percent with its interval: `+2.3 % (+0.5 to +4.1)`."""
    if scores.error is None:
        return _NOT_MEASURED
    error = f"{100 * scores.error:+.1f} %"
    if scores.error_low is None or scores.error_high is None:
        return error
    return f"{error} ({100 * scores.error_low:+.1f} to {100 * scores.error_high:+.1f})"


def share_text(share: Share | None) -> str:
    """A share with the ends of its interval."""
    if share is None:
        return _NOT_MEASURED
    found = Interval(value=share.value, low=share.low, high=share.high)
    return f"{share.value:.3f} ({interval_text(found, digits=3)})"


_COUNT_HEADER = ("true", "counted", "error", "recall", "precision", "right class")


def _count_cells(scores: CountScores) -> tuple[Cell, ...]:
    shares = (scores.recall, scores.precision, scores.class_accuracy)
    return (scores.true, scores.counted, error_text(scores), *map(share_text, shares))


def _titles() -> tuple[str, ...]:
    titles = {value.name: value.title for value in VALUES}
    return tuple(titles[name] for name in SHOWN)


def _values(values: Mapping[str, float], num_labels: int) -> tuple[Cell, ...]:
    """The values shown; None without labels, of which they say nothing."""
    return tuple(values[name] if num_labels else None for name in SHOWN)


def _interval_title(*metrics: TrackMetrics) -> tuple[str, ...]:
    """Header of the column of intervals; no column if there are none."""
    level = next((one.interval_level for one in metrics if one.intervals), None)
    return () if level is None else (f"{100 * level:g} % interval of HOTA",)


def _interval(interval: Interval | None, *metrics: TrackMetrics) -> tuple[str, ...]:
    cell = interval_text(interval, digits=3) or _NOT_MEASURED
    return (cell,) if _interval_title(*metrics) else ()


def _number(value: float | None, digits: str) -> str:
    return _NOT_MEASURED if value is None else f"{value:{digits}}"
