"""Counts in the table of OTAnalytics."""

from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from tests.traffic.walks import CLASSES, together, walk

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.export import flow_counts
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.tables import turning_movement_rows


def movements(clock: str, *rows: tuple[str, str, int, int, int]) -> dict[str, npt.NDArray[Any]]:
    """Turning movements of two bins of a minute and one of five: from, to, cars, trams, vans."""
    starts, ends, cars, trams, vans = zip(*rows, strict=True)
    number = len(rows)
    return {
        "recording": np.array(["street"] * number, object),
        "bin_min": np.full(number, 5),
        "bin_start_s": np.full(number, 300.0),
        "clock": np.array([clock] * number, object),
        "observed_s": np.full(number, 300.0),
        "from": np.array(starts, object),
        "to": np.array(ends, object),
        "car": np.array(cars),
        "tram": np.array(trams),
        "van": np.array(vans),
        "total": np.array(cars) + np.array(trams) + np.array(vans),
    }


def test_each_flow_and_class_is_a_row(tmp_path: Path) -> None:
    table = movements(
        "2026-06-01T07:55:00+02:00",
        ("north", "south", 3, 1, 0),
        ("south", "north", 0, 0, 2),
        ("south", "south", 1, 0, 0),
        ("north", "unknown", 9, 9, 9),
        ("unknown", "north", 9, 9, 9),
    )
    flow_counts.write(tmp_path / "a.csv", table, bin_min=5)
    begin, end = (
        "2026-06-01 07:55:00,2026-06-01,07:55:00",
        "2026-06-01 08:00:00,2026-06-01,08:00:00",
    )
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "start time,start occurrence date,start occurrence time,end time,end occurrence date,"
        "end occurrence time,classification,flow,from section,to section,count",
        f"{begin},{end},car,north --> south,north,south,3",
        f"{begin},{end},car,south --> north,south,north,0",
        f"{begin},{end},car,south --> south,south,south,1",
        f"{begin},{end},train,north --> south,north,south,1",
        f"{begin},{end},train,south --> north,south,north,0",
        f"{begin},{end},van,north --> south,north,south,0",
        f"{begin},{end},van,south --> north,south,north,2",
    ]


def test_only_the_wanted_bins_are_written(tmp_path: Path) -> None:
    flow_counts.write(tmp_path / "a.csv", movements("", ("a", "b", 1, 1, 1)), bin_min=15)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1


def test_without_a_clock_times_count_from_1970(tmp_path: Path) -> None:
    flow_counts.write(tmp_path / "a.csv", movements("", ("a", "b", 1, 1, 1)), bin_min=5)
    row = (tmp_path / "a.csv").read_text().splitlines()[1]
    assert row.startswith("1970-01-01 00:05:00,1970-01-01,00:05:00,1970-01-01 00:10:00,")


def test_classes_of_one_name_are_added(tmp_path: Path) -> None:
    table = movements("", ("a", "b", 1, 2, 4))
    table["train"] = table.pop("van")
    flow_counts.write(tmp_path / "a.csv", table, bin_min=5)
    rows = (tmp_path / "a.csv").read_text().splitlines()
    assert [row for row in rows if ",train," in row][0].endswith(",6")  # noqa: RUF015


@pytest.mark.parametrize("name", ["=1+1", "@a", "-north"])
def test_names_are_no_formulas(tmp_path: Path, name: str) -> None:
    flow_counts.write(tmp_path / "a.csv", movements("", (name, "b", 1, 1, 1)), bin_min=5)
    assert f"'{name}" in (tmp_path / "a.csv").read_text().splitlines()[1]


def test_counted_movements_are_the_rows(tmp_path: Path) -> None:
    """A car from left to right and one from right to bottom, between lines near the border."""
    right, down = [(x, 50.0) for x in range(1, 100, 3)], [(50.0, y) for y in range(50, 100, 3)]
    left = [(x, 50.0) for x in range(99, 49, -3)]
    traffic = count_recording(
        together(walk(right), walk([*left, *down], track_id=2)),
        border_site(100, 100),
        Observed(100, 100, 0, 60_000_000, datetime(2026, 6, 1, 7, 30)),
        CountSettings(),
        CLASSES,
    )
    table = turning_movement_rows({"street": traffic})
    flow_counts.write(tmp_path / "a.csv", table, bin_min=15)
    rows = (tmp_path / "a.csv").read_text().splitlines()[1:]
    times = "2026-06-01 07:30:00,2026-06-01,07:30:00,2026-06-01 07:45:00,2026-06-01,07:45:00"
    assert sorted(row for row in rows if not row.endswith(",0")) == [
        f"{times},car,left --> right,left,right,1",
        f"{times},car,right --> bottom,right,bottom,1",
    ]
    assert len(rows) == 4 * 3 * len(CLASSES)
