"""Counts in the table of OTAnalytics."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from etram_pipeline.traffic.export import flow_counts


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
    times = "2026-06-01 07:55:00,2026-06-01 08:00:00"
    assert (tmp_path / "a.csv").read_text().splitlines() == [
        "start time,end time,classification,flow,from section,to section,count",
        f"{times},car,north --> south,north,south,3",
        f"{times},train,north --> south,north,south,1",
        f"{times},van,north --> south,north,south,0",
        f"{times},car,south --> north,south,north,0",
        f"{times},train,south --> north,south,north,0",
        f"{times},van,south --> north,south,north,2",
        f"{times},car,south --> south,south,south,1",
    ]


def test_only_the_wanted_bins_are_written(tmp_path: Path) -> None:
    flow_counts.write(tmp_path / "a.csv", movements("", ("a", "b", 1, 1, 1)), bin_min=15)
    assert len((tmp_path / "a.csv").read_text().splitlines()) == 1


def test_without_a_clock_times_count_from_1970(tmp_path: Path) -> None:
    flow_counts.write(tmp_path / "a.csv", movements("", ("a", "b", 1, 1, 1)), bin_min=5)
    row = (tmp_path / "a.csv").read_text().splitlines()[1]
    assert row.startswith("1970-01-01 00:05:00,1970-01-01 00:10:00,car,")


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
