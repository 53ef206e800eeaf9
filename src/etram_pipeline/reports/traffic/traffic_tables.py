"""What was counted in a whole recording, as tables for the page."""

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.reports.tables import Cell, Table
from etram_pipeline.reports.traffic.flows import flow_counts
from etram_pipeline.traffic.bins import Bins
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.site import UNKNOWN
from etram_pipeline.traffic.zones import ZoneUse, zone_use

_KM_H = 3.6
_NOT_MEASURED = "–"  # noqa: RUF001  # a dash that is as wide as a digit
_LEAST_OBSERVED_S = 60
_US_PER_MINUTE = 60_000_000


@dataclass(frozen=True)
class Matrix:
    """Movements by origin and destination.

    Attributes:
        ends: Names of lines, and `unknown` if an end is.
        counts: Number of movements from each end, in rows, to each end.
    """

    ends: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]

    @property
    def largest(self) -> int:
        """Largest count, at least 1."""
        return max((count for row in self.counts for count in row), default=0) or 1

    @property
    def to_totals(self) -> tuple[int, ...]:
        """Movements to each end."""
        return tuple(map(sum, zip(*self.counts, strict=True)))


def movement_matrix(traffic: Traffic) -> Matrix:
    """Movements by origin and destination, with only those unknown ends that occur."""
    flows = flow_counts(traffic)
    ends = tuple(traffic.site.lines)
    if any(UNKNOWN in flow for flow in flows):
        ends = (*ends, UNKNOWN)
    return Matrix(ends, tuple(tuple(flows[origin, to] for to in ends) for origin in ends))


def movement_table(traffic: Traffic) -> Table:
    """One row per movement that occurs, with one column per class that occurs."""
    found = traffic.movements
    names = _class_names(traffic, found)
    counts = Counter(
        zip(found["origin"].tolist(), found["destination"].tolist(), names, strict=True)
    )
    classes = [name for name in traffic.classes.names if name in names]
    return Table(
        header=("from", "to", *classes, "total"),
        rows=tuple(
            (*flow, *(counts[*flow, name] for name in classes), total)
            for flow, total in flow_counts(traffic).items()
        ),
    )


def line_table(traffic: Traffic) -> Table:
    """Crossings of each line and direction by class."""
    found = traffic.crossings
    names = _class_names(traffic, found)
    counts = Counter(zip(found["line"].tolist(), found["direction"].tolist(), names, strict=True))
    classes = [name for name in traffic.classes.names if name in names]
    ways = [
        (name, direction)
        for name, line in traffic.site.lines.items()
        for direction in (line.forward, line.backward)
    ]
    return Table(
        header=("line", "direction", *classes, "total", "per hour"),
        rows=tuple(
            (
                *way,
                *(each := [counts[*way, name] for name in classes]),
                sum(each),
                _hourly(traffic, sum(each)),
            )
            for way in ways
        ),
    )


def zone_table(traffic: Traffic) -> Table:
    """Use of each zone by all classes, over all that was observed."""
    has_ground = traffic.homography is not None
    rows = [(name, _use(traffic, name)) for name in traffic.site.zones]
    return Table(
        header=(
            "zone",
            "entries",
            "occupied",
            "mean number",
            "median stay, s",
            "85 % stay, s",
            "mean queue",
            "95 % queue",
            "largest queue",
            *(["95 % queue, m"] if has_ground else []),
        ),
        rows=tuple(
            (
                name,
                int(use.entries[0]),
                _percent(use.occupied),
                _number(use.mean_number, 2),
                _number(use.dwell_median_s, 1),
                _number(use.dwell_p85_s, 1),
                _number(use.queue_mean, 2),
                _number(use.queue_p95, 1),
                _number(use.queue_max, 0),
                *([_number(use.queue_p95_m, 1)] if has_ground else []),
            )
            for name, use in rows
        ),
    )


def speed_table(traffic: Traffic) -> Table:
    """Speeds at each line and direction in km/h; no rows if none is known."""
    found = traffic.crossings
    is_known = np.isfinite(found["speed_m_s"])
    rows: list[tuple[Cell, ...]] = []
    for name, line in traffic.site.lines.items():
        for direction in (line.forward, line.backward):
            own = found[is_known & (found["line"] == name) & (found["direction"] == direction)]
            if len(own):
                middle, high = _KM_H * np.percentile(own["speed_m_s"], [50, 85])
                rows.append((name, direction, len(own), f"{middle:.0f}", f"{high:.0f}"))
    return Table(("line", "direction", "measured", "median, km/h", "85 %, km/h"), tuple(rows))


def _class_names(traffic: Traffic, table: npt.NDArray[Any]) -> list[str]:
    """Class of each row, as tables call it."""
    names = np.array(traffic.classes.names, object)
    return [str(name) for name in names[traffic.classes.of_class[table["class_id"]]]]


def _use(traffic: Traffic, zone: str) -> ZoneUse:
    """Use of a zone, with all that was observed as one bin."""
    observed = traffic.observed
    length_us = observed.stop_us - observed.start_us
    whole = Bins(
        minutes=max(1, math.ceil(length_us / _US_PER_MINUTE)),
        starts_us=np.array([observed.start_us], np.int64),
        observed_s=np.array([length_us / 1e6]),
    )
    stays = traffic.stays[traffic.stays["zone"] == zone]
    queued = traffic.queued[traffic.queued["zone"] == list(traffic.site.zones).index(zone)]
    has_ground = traffic.homography is not None
    return zone_use(stays, queued, traffic.seconds_us, whole, has_ground=has_ground)


def _hourly(traffic: Traffic, number: int) -> str:
    observed_s = (traffic.observed.stop_us - traffic.observed.start_us) / 1e6
    # Of a shorter time, chance is more than half of an hourly flow.
    is_long = observed_s >= _LEAST_OBSERVED_S
    return f"{3600 * number / observed_s:,.0f}" if is_long else _NOT_MEASURED


def _percent(values: npt.NDArray[Any]) -> str:
    text = _number(100 * values, 0)
    return text if text == _NOT_MEASURED else f"{text} %"


def _number(values: npt.NDArray[Any], digits: int) -> str:
    value = float(values[0])
    return _NOT_MEASURED if math.isnan(value) else f"{value:.{digits}f}"
