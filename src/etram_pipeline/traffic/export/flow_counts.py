"""Counts of movements in the table that OTAnalytics exports.

Rows are in order of time, then class. Movements of which one end is unknown belong to no flow and
are left out, as there. Movements that return to the line they come from are listed where there are
any. Classes have the names of OpenTrafficCam; classes and groups that it does not have keep their
names. Times are those of the clock, or count from the beginning of 1970 where no clock is known.

Source: OpenTrafficCam/OTAnalytics, `OTAnalytics/plugin_parser/export.py`.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy.typing as npt

from etram_pipeline.core.files import written_whole
from etram_pipeline.core.spreadsheet import inert
from etram_pipeline.traffic.export.otflow import flow_name
from etram_pipeline.traffic.export.road_users import road_user
from etram_pipeline.traffic.site import UNKNOWN

COLUMNS = (
    *("start time", "start occurrence date", "start occurrence time"),
    *("end time", "end occurrence date", "end occurrence time"),
    *("classification", "flow", "from section", "to section", "count"),
)

_WITHOUT_CLOCK = datetime(1970, 1, 1)
_TIME_FORMATS = ("%Y-%m-%d %H:%M:%S", "%Y-%m-%d", "%H:%M:%S")

_OTHER_COLUMNS = {
    *("recording", "bin_min", "bin_start_s", "clock", "observed_s"),
    *("from", "to", "total"),
}
"""Columns of turning movements that are no classes."""


def write(path: Path, movements: Mapping[str, npt.NDArray[Any]], bin_min: int) -> None:
    """Write the counts of one recording.

    Args:
        path: The file.
        movements: Columns of turning movements, with one column for each class.
        bin_min: Length of the bins to write, in minutes.
    """
    with written_whole(path) as partial, partial.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(COLUMNS)
        rows: list[list[Any]] = sorted(_rows(movements, bin_min), key=_order)
        table.writerows(rows)


def _rows(movements: Mapping[str, npt.NDArray[Any]], bin_min: int) -> Iterator[list[Any]]:
    names = {
        name: road_user(name, unknown=name) for name in movements if name not in _OTHER_COLUMNS
    }
    listed = {name: column.tolist() for name, column in movements.items()}
    for number, (start, end) in enumerate(zip(listed["from"], listed["to"], strict=True)):
        if listed["bin_min"][number] != bin_min or UNKNOWN in {start, end}:
            continue
        counts: Counter[str] = Counter()
        for name, theirs in names.items():
            counts[theirs] += int(listed[name][number])
        times = _times(listed["clock"][number], listed["bin_start_s"][number], bin_min)
        ends = [inert(each) for each in (flow_name(start, end), start, end)]
        for name, count in counts.items():
            if start != end or count:
                yield [*times, inert(name), *ends, count]


def _times(clock: str, start_s: float, bin_min: int) -> list[str]:
    if clock:
        start = datetime.fromisoformat(clock).replace(tzinfo=None)
    else:
        start = _WITHOUT_CLOCK + timedelta(seconds=start_s)
    ends = (start, start + timedelta(minutes=bin_min))
    return [end.strftime(each) for end in ends for each in _TIME_FORMATS]


def _order(row: list[Any]) -> tuple[str, str]:
    return row[0], row[COLUMNS.index("classification")]
