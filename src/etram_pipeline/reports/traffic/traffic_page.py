"""The traffic of recordings as one HTML file that needs no other."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import numpy as np
from markupsafe import Markup

from etram_pipeline.core.counts import counted_of, duration
from etram_pipeline.drawing import palette
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.reports.page import Plot, picture_uri, plot
from etram_pipeline.reports.tables import Table
from etram_pipeline.reports.templating import render_page
from etram_pipeline.reports.traffic.doubts import Doubt, find_doubts
from etram_pipeline.reports.traffic.figures import draw_line_counts, draw_queues, draw_speeds
from etram_pipeline.reports.traffic.flows import draw_flows
from etram_pipeline.reports.traffic.traffic_tables import (
    Matrix,
    line_table,
    movement_matrix,
    movement_table,
    speed_table,
    zone_table,
)
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.site import UNKNOWN

MAX_RECORDINGS = 12
"""Recordings with a section of their own; the tables beside the page have all."""


@dataclass(frozen=True)
class TrafficContent:
    """What the page shows.

    Attributes:
        recordings: What was counted, by recording; may load each when it is asked for.
        stills: Picture of each recording, of the size of its sensor; may be without some.
        title: Heading.
        facts: What else to tell, such as how the page was made.
    """

    recordings: Mapping[str, Traffic]
    stills: Mapping[str, RgbImage] = field(default_factory=dict)
    title: str = "Traffic"
    facts: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class _Section:
    """A recording as the page shows it."""

    key: str
    anchor: str
    about: str
    flows: Markup
    lines: Table
    matrix: Matrix
    movements: Table
    line_figures: dict[str, Plot]
    zones: Table
    queues: dict[str, Plot]
    speeds: Table
    speed_figure: dict[str, Plot]
    doubts: list[Doubt]


def write_traffic_page(content: TrafficContent) -> str:
    """The page as HTML."""
    shown = [
        _shown(content, key, f"recording-{place + 1}" if place < MAX_RECORDINGS else "")
        for place, key in enumerate(content.recordings)
    ]
    summary = [row for row, _ in shown]
    sections = [section for _, section in shown if section is not None]
    header = ("recording", "observed", "road users", "crossings", "complete movements")
    values = {
        "title": content.title,
        "summary": Table(header, tuple(summary)),
        "sections": sections,
        "facts": content.facts,
        "unknown": UNKNOWN,
        "num_hidden": len(summary) - len(sections),
        "palette": palette,
    }
    return render_page("traffic.html.j2", values)


def _shown(
    content: TrafficContent, key: str, anchor: str
) -> tuple[tuple[str | int, ...], _Section | None]:
    """A recording in the table of all, and its section if there is an anchor for it."""
    traffic = content.recordings[key]  # not kept, for it holds all tracks
    section = _section(anchor, key, traffic, content.stills.get(key)) if anchor else None
    return _summary_row(key, traffic), section


def _summary_row(key: str, traffic: Traffic) -> tuple[str | int, ...]:
    found = traffic.movements
    complete = int(((found["origin"] != UNKNOWN) & (found["destination"] != UNKNOWN)).sum())
    observed = traffic.observed
    return (
        key,
        duration((observed.stop_us - observed.start_us) / 1e6),
        len(np.unique(traffic.tracks["track_id"])),
        len(traffic.crossings),
        counted_of(complete, len(found), "movement"),
    )


def _section(anchor: str, key: str, traffic: Traffic, still: RgbImage | None) -> _Section:
    queues, speeds = draw_queues(traffic), draw_speeds(traffic)
    return _Section(
        key=key,
        anchor=anchor,
        about=_about(traffic),
        flows=draw_flows(traffic, "" if still is None else picture_uri(still, "jpeg")),
        lines=line_table(traffic),
        matrix=movement_matrix(traffic),
        movements=movement_table(traffic),
        line_figures={name: plot(figure, "") for name, figure in draw_line_counts(traffic).items()},
        zones=zone_table(traffic),
        queues={} if queues is None else {"queues": plot(queues, "")},
        speeds=speed_table(traffic),
        speed_figure={} if speeds is None else {"speeds": plot(speeds, "")},
        doubts=find_doubts(traffic),
    )


def _about(traffic: Traffic) -> str:
    """When a recording was made, and how much of it was observed."""
    observed = traffic.observed
    length = duration((observed.stop_us - observed.start_us) / 1e6)
    if traffic.clock is None:
        return f"{length} observed; the time of day is unknown."
    began = traffic.clock + timedelta(microseconds=observed.start_us)
    return f"{length} observed from {began.isoformat(sep=' ', timespec='seconds')}."
