"""The sections on tracks and counts of the report."""

from dataclasses import dataclass

from etram_pipeline.evaluation.metrics import Value
from etram_pipeline.evaluation.tracks.values import VALUES
from etram_pipeline.reports.tables import Table
from etram_pipeline.reports.traffic.score_tables import (
    SHOWN,
    CountMetricsByName,
    TrackMetricsByName,
    count_bin_table,
    count_class_table,
    count_line_table,
    track_class_table,
    track_group_table,
    track_protocol_table,
)
from etram_pipeline.reports.traffic.score_wording import count_facts, track_facts
from etram_pipeline.reports.wording import interval_text


@dataclass(frozen=True)
class TrackSection:
    """Scores of tracks as the page shows them.

    Attributes:
        name: Protocol of the numbers, classes and groups.
        description: What it is for.
        numbers: Values that matter most, each with its number and its interval in words.
        facts: What they mean.
        protocols: All protocols.
        classes: By class.
        groups: By group of recordings.
    """

    name: str
    description: str
    numbers: tuple[tuple[Value, float | None, str], ...]
    facts: tuple[str, ...]
    protocols: Table
    classes: Table
    groups: Table


@dataclass(frozen=True)
class CountSection:
    """Errors of counts at one set of lines as the page shows them.

    Attributes:
        name: The lines: `grid` or `site`.
        facts: What the numbers mean.
        lines: By line and direction.
        classes: By class.
        bins: By length of bins.
    """

    name: str
    facts: tuple[str, ...]
    lines: Table
    classes: Table
    bins: Table


def track_section(metrics: TrackMetricsByName) -> TrackSection | None:
    """The section on tracks, whose first protocol is shown in full; None without any."""
    if not metrics:
        return None
    name, first = next(iter(metrics.items()))
    values = {value.name: value for value in VALUES}
    return TrackSection(
        name=name,
        description=first.protocol.description,
        numbers=tuple(
            (
                values[each],
                first.overall[each] if first.num_labels else None,
                interval_text(first.interval_of(each)),
            )
            for each in SHOWN
        ),
        facts=track_facts(first),
        protocols=track_protocol_table(metrics),
        classes=track_class_table(first),
        groups=track_group_table(first),
    )


def count_sections(metrics: CountMetricsByName) -> tuple[CountSection, ...]:
    """The sections on counts, one for each set of lines."""
    return tuple(
        CountSection(
            name=name,
            facts=count_facts(one),
            lines=count_line_table(one),
            classes=count_class_table(one),
            bins=count_bin_table(one),
        )
        for name, one in metrics.items()
    )
