"""The tables of counts: columns by name, as pandas takes them, for any number of recordings.

Recordings are taken one after the other, so a lazy mapping needs the memory of one. Times are in
seconds of the recording; `clock` is ISO 8601, and empty where no clock time is known. Each table of
bins has a row for every combination that can be counted, with 0 where nobody was seen.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
from jaxtyping import Float64, Int64

from etram_pipeline.tracks.table import BRIDGED, RESTED, SEEN
from etram_pipeline.traffic.bins import Bins, clock_texts
from etram_pipeline.traffic.classes import ALL
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.movements import Movements
from etram_pipeline.traffic.quantiles import grouped_quantile
from etram_pipeline.traffic.site import UNKNOWN
from etram_pipeline.traffic.zones import HIGH_SHARE, MEDIAN, ZoneUse, zone_use

Columns = dict[str, npt.NDArray[Any]]
"""A table: columns of equal length by name."""

Recordings = Mapping[str, Traffic]
"""What was counted, by recording."""

STATES = {SEEN: "seen", BRIDGED: "bridged", RESTED: "rested"}
"""What tables call the states of tracks."""

_BIN = ("recording", "bin_min", "bin_start_s", "clock", "observed_s")
_FLOW = ("line", "direction", "class")
_CROSSING = (
    *("recording", "time_s", "clock", "line", "direction"),
    *("track_id", "class", "state", "speed_m_s"),
)
_STAY = (
    *("recording", "zone", "track_id", "class"),
    *("enter_s", "leave_s", "begins_inside", "ends_inside"),
)
_ZONE_USE = tuple(ZoneUse.__dataclass_fields__)


def crossings_rows(recordings: Recordings) -> Columns:
    """One row per crossing of a line."""
    return _joined((_crossings_of(key, traffic) for key, traffic in recordings.items()), _CROSSING)


def stay_rows(recordings: Recordings) -> Columns:
    """One row per stay in a zone."""
    return _joined((_stays_of(key, traffic) for key, traffic in recordings.items()), _STAY)


def counts_rows(recordings: Recordings) -> Columns:
    """Crossings by bin, line, direction and class, and per hour of what was observed."""
    return _binned(recordings, _counts_of, (*_FLOW, "count", "per_hour"))


def speed_rows(recordings: Recordings) -> Columns:
    """Speeds of crossings by bin, line, direction and class, and of all classes; in m/s."""
    return _binned(recordings, _speeds_of, (*_FLOW, "measured", "median_m_s", "p85_m_s"))


def turning_movement_rows(recordings: Recordings) -> Columns:
    """Movements between lines by bin, with one column per class.

    A movement belongs to the bin of its first crossing. An end of which no line is known is
    `unknown`.
    """
    return _movement_rows(
        recordings, lambda traffic: (traffic.movements, (*traffic.site.lines, UNKNOWN))
    )


def zone_movement_rows(recordings: Recordings) -> Columns:
    """Movements between zones by bin, in the layout of `turning_movement_rows`.

    A movement belongs to the bin in which its first zone is entered.
    """
    return _movement_rows(
        recordings, lambda traffic: (traffic.zone_movements, (*traffic.site.zones, UNKNOWN))
    )


def zone_rows(recordings: Recordings) -> Columns:
    """Use of zones by bin and class, and by all classes; see `zones.ZoneUse`."""
    return _binned(recordings, _zones_of, ("zone", "class", *_ZONE_USE))


def _crossings_of(key: str, traffic: Traffic) -> Columns:
    found = traffic.crossings
    return {
        "recording": _repeated([key], len(found)),
        "time_s": _seconds(found["t"]),
        "clock": _texts(clock_texts(traffic.clock, found["t"], "milliseconds")),
        "line": _texts(found["line"].tolist()),
        "direction": _texts(found["direction"].tolist()),
        "track_id": found["track_id"],
        "class": _texts(traffic.classes.names)[_counted_class(traffic, found)],
        "state": _texts([STATES[state] for state in found["state"].tolist()]),
        "speed_m_s": _rounded(found["speed_m_s"].astype(np.float64)),
    }


def _stays_of(key: str, traffic: Traffic) -> Columns:
    found = traffic.stays
    return {
        "recording": _repeated([key], len(found)),
        "zone": _texts(found["zone"].tolist()),
        "track_id": found["track_id"],
        "class": _texts(traffic.classes.names)[_counted_class(traffic, found)],
        "enter_s": _seconds(found["enter"]),
        "leave_s": _seconds(found["leave"]),
        "begins_inside": found["begins_inside"],
        "ends_inside": found["ends_inside"],
    }


def _counts_of(traffic: Traffic, bins: Bins) -> Columns:
    flows = _flows(traffic, traffic.classes.names)
    number = bins.index(traffic.crossings["t"]) * len(flows) + _flow_of(traffic)
    count = np.bincount(number, minlength=len(bins.starts_us) * len(flows))
    with np.errstate(divide="ignore", invalid="ignore"):
        per_hour = 3600 * count / np.repeat(bins.observed_s, len(flows))
    return _named(_FLOW, flows, bins) | {"count": count, "per_hour": _rounded(per_hour)}


def _speeds_of(traffic: Traffic, bins: Bins) -> Columns:
    classes = (*traffic.classes.names, ALL)
    flows = _flows(traffic, classes)
    num_classes = len(classes)
    line_way, own = np.divmod(_flow_of(traffic), num_classes - 1)
    bin_way = bins.index(traffic.crossings["t"]) * (len(flows) // num_classes) + line_way
    values = traffic.crossings["speed_m_s"].astype(np.float64)
    known = np.isfinite(values)
    groups = np.concatenate([bin_way * num_classes + each for each in (own, num_classes - 1)])
    values, groups = np.tile(values[known], 2), groups[np.tile(known, 2)]
    number = len(bins.starts_us) * len(flows)
    return _named(_FLOW, flows, bins) | {
        "measured": np.bincount(groups, minlength=number),
        "median_m_s": _rounded(grouped_quantile(values, groups, number, MEDIAN)),
        "p85_m_s": _rounded(grouped_quantile(values, groups, number, HIGH_SHARE)),
    }


def _zones_of(traffic: Traffic, bins: Bins) -> Columns:
    classes = (*traffic.classes.names, ALL)
    uses = [
        use for number in range(len(traffic.site.zones)) for use in _uses(traffic, number, bins)
    ]
    columns = {
        field: np.column_stack([getattr(use, field) for use in uses] or [np.zeros((1, 0))])
        for field in _ZONE_USE
    }
    return _named(("zone", "class"), list(product(traffic.site.zones, classes)), bins) | {
        field: _rounded(values.reshape(-1)) for field, values in columns.items()
    }


def _uses(traffic: Traffic, number: int, bins: Bins) -> Iterator[ZoneUse]:
    """Use of one zone by each class, then by all."""
    name = list(traffic.site.zones)[number]
    found = traffic.stays[traffic.stays["zone"] == name]
    waiting = traffic.queued[traffic.queued["zone"] == number]
    use_of = partial(zone_use, bins=bins, has_ground=traffic.homography is not None)
    for own in range(len(traffic.classes.names)):
        is_own, waits = (_counted_class(traffic, table) == own for table in (found, waiting))
        yield use_of(found[is_own], waiting[waits], traffic.seconds_us)
    yield use_of(found, waiting, traffic.seconds_us)


def _movement_rows(
    recordings: Recordings, of: Callable[[Traffic], tuple[Movements, tuple[str, ...]]]
) -> Columns:
    def columns(traffic: Traffic, bins: Bins) -> Columns:
        found, ends = of(traffic)
        pairs = [pair for pair in product(ends, ends) if pair != (UNKNOWN, UNKNOWN)]
        position = {pair: index for index, pair in enumerate(pairs)}
        used = zip(found["origin"].tolist(), found["destination"].tolist(), strict=True)
        pair_of = np.array([position[each] for each in used], np.int64)
        classes = traffic.classes.names
        shape = (len(bins.starts_us) * len(pairs), len(classes))
        row = bins.index(found["t"]) * len(pairs) + pair_of
        count = np.bincount(
            row * len(classes) + _counted_class(traffic, found), minlength=shape[0] * shape[1]
        ).reshape(shape)
        by_class = dict(zip(classes, count.T, strict=True))
        return _named(("from", "to"), pairs, bins) | by_class | {"total": count.sum(axis=1)}

    names = dict.fromkeys(name for traffic in recordings.values() for name in traffic.classes.names)
    return _binned(recordings, columns, ("from", "to", *names, "total"))


def _flows(traffic: Traffic, classes: Sequence[str]) -> list[tuple[str, str, str]]:
    return [
        (name, direction, class_name)
        for name, line in traffic.site.lines.items()
        for direction in (line.forward, line.backward)
        for class_name in classes
    ]


def _flow_of(traffic: Traffic) -> Int64[np.ndarray, " N"]:
    """Position of each crossing among the flows of all classes."""
    found, lines = traffic.crossings, traffic.site.lines
    ways = [(name, way) for name, line in lines.items() for way in (line.forward, line.backward)]
    position = {way: index for index, way in enumerate(ways)}
    used = zip(found["line"].tolist(), found["direction"].tolist(), strict=True)
    way_of = np.array([position[each] for each in used], np.int64)
    num_classes = len(traffic.classes.names)
    flow_of: Int64[np.ndarray, " N"] = way_of * num_classes + _counted_class(traffic, found)
    return flow_of


def _counted_class(traffic: Traffic, table: npt.NDArray[Any]) -> Int64[np.ndarray, " N"]:
    counted: Int64[np.ndarray, " N"] = traffic.classes.of_class[table["class_id"]]
    return counted


def _binned(
    recordings: Recordings, columns: Callable[[Traffic, Bins], Columns], names: Iterable[str]
) -> Columns:
    def parts() -> Iterator[Columns]:
        for key, traffic in recordings.items():
            for bins in traffic.bins:
                yield _with_bins(key, traffic, bins, columns(traffic, bins))

    return _joined(parts(), (*_BIN, *names))


def _with_bins(key: str, traffic: Traffic, bins: Bins, columns: Columns) -> Columns:
    """A table with its bins; its rows go through all combinations of one bin, then of the next."""
    num_rows = len(next(iter(columns.values())))
    times = num_rows // len(bins.starts_us)
    return {
        "recording": _repeated([key], num_rows),
        "bin_min": np.full(num_rows, bins.minutes),
        "bin_start_s": np.repeat(_seconds(bins.starts_us), times),
        "clock": _repeated(clock_texts(traffic.clock, bins.starts_us), times),
        "observed_s": np.repeat(bins.observed_s, times),
        **columns,
    }


def _named(names: Sequence[str], rows: Sequence[tuple[str, ...]], bins: Bins) -> Columns:
    """Names of the rows of one bin, for all bins."""
    return {
        name: np.tile(_texts([row[index] for row in rows]), len(bins.starts_us))
        for index, name in enumerate(names)
    }


def _joined(parts: Iterable[Columns], names: Sequence[str]) -> Columns:
    tables = list(parts)
    return {
        name: np.concatenate([table[name] for table in tables] or [np.zeros(0)]) for name in names
    }


def _texts(texts: Sequence[str]) -> npt.NDArray[Any]:
    return np.array(texts, object)


def _repeated(texts: Sequence[str], times: int) -> npt.NDArray[Any]:
    return np.repeat(_texts(texts), times)


def _seconds(times_us: Int64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    return times_us / 1e6


def _rounded(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Values without digits that nothing is known of."""
    return np.round(values, 3)
