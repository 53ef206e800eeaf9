"""The tables of counts."""

from collections.abc import Callable, Mapping
from itertools import product

import numpy as np
import pandas as pd
import pytest
from tests.traffic.walks import CLASSES, observed, together, walk

from etram_pipeline.traffic.counting import Traffic, count_recording
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Ground, Image, Line, Site, Zone
from etram_pipeline.traffic.tables import (
    Columns,
    counts_rows,
    crossings_rows,
    speed_rows,
    stay_rows,
    turning_movement_rows,
    zone_movement_rows,
    zone_rows,
)

TABLES = (
    counts_rows,
    crossings_rows,
    speed_rows,
    stay_rows,
    turning_movement_rows,
    zone_movement_rows,
    zone_rows,
)
SITE = Site(
    image=Image(width=400, height=300),
    lines={
        "west": Line(points=((100.0, 100.0), (100.0, 0.0)), forward="in", backward="out"),
        "east": Line(points=((200.0, 0.0), (200.0, 100.0)), forward="in", backward="out"),
    },
    zones={
        "a": Zone(polygon=((0.0, 0.0), (90.0, 0.0), (90.0, 100.0), (0.0, 100.0))),
        "b": Zone(polygon=((210.0, 0.0), (300.0, 0.0), (300.0, 100.0), (210.0, 100.0))),
    },
    ground=Ground(
        points_px=((0.0, 0.0), (400.0, 0.0), (400.0, 300.0), (0.0, 300.0)),
        points_m=((0.0, 30.0), (40.0, 30.0), (40.0, 0.0), (0.0, 0.0)),
    ),
)
ACROSS = [(float(x), 50.0) for x in range(20, 280, 10)]
SLOWER = [(float(x), 50.0) for x in range(20, 280, 5)]
HALF = ACROSS[:14]
TRACKS = together(
    walk(ACROSS, 1, class_id=1, start_us=1_000_000),
    walk(SLOWER, 2, class_id=2, start_us=2_000_000),
    walk(ACROSS[::-1], 3, class_id=1, start_us=70_000_000),
    walk(HALF, 4, class_id=0, start_us=80_000_000),
)
STARTS_AT = "2026-06-01T07:04:30+02:00"


def count(started_at: str | None = STARTS_AT, classes: str = "each") -> Traffic:
    settings = CountSettings.model_validate({"bins_min": [1, 5], "classes": classes})
    recording = observed(90_000_000, started_at=started_at)
    return count_recording(TRACKS, SITE, recording, settings, CLASSES)


def frame(rows: Callable[[Mapping[str, Traffic]], Columns], *recordings: Traffic) -> pd.DataFrame:
    return pd.DataFrame(rows({f"rec {k}": traffic for k, traffic in enumerate(recordings)}))


def test_every_crossing_has_a_row() -> None:
    table = frame(crossings_rows, count())
    assert table["track_id"].tolist() == [1, 1, 2, 2, 3, 3, 4]
    assert table["line"].tolist() == ["west", "east", "west", "east", "east", "west", "west"]
    assert table["direction"].tolist() == ["in", "out", "in", "out", "in", "out", "in"]
    assert table["class"].tolist() == ["car", "car", "bus", "bus", "car", "car", "pedestrian"]
    assert table.loc[0, ["time_s", "clock", "state", "speed_m_s"]].tolist() == [
        1.4,
        "2026-06-01T07:04:31.400+02:00",
        "seen",
        20,
    ]


def test_counts_have_a_row_for_everything_that_could_be_counted() -> None:
    table = frame(counts_rows, count(), count())
    combinations = product(
        *(["rec 0", "rec 1"], [(1, 2), (5, 2)], ["west", "east"], ["in", "out"], CLASSES)
    )
    assert len(table) == sum(num_bins for _, (_, num_bins), *_ in combinations)
    assert not table.duplicated(["recording", "bin_min", "bin_start_s", *table.columns[5:8]]).any()
    assert not table.isna().any().any()


@pytest.mark.parametrize("minutes", [1, 5])
def test_counts_of_any_bins_add_up_to_the_crossings(minutes: int) -> None:
    table = frame(counts_rows, count())
    table = table[table["bin_min"] == minutes]
    assert table["count"].sum() == 7
    per_class = table.groupby("class")["count"].sum()
    assert per_class.to_dict() == {"pedestrian": 1, "car": 4, "bus": 2}


def test_the_flow_of_an_hour_comes_from_what_was_observed() -> None:
    table = frame(counts_rows, count())
    row = table[(table["bin_min"] == 5) & (table["count"] > 0)].iloc[0]
    assert (row["bin_start_s"], row["clock"]) == (-270, "2026-06-01T07:00:00+02:00")
    assert (row["observed_s"], row["count"], row["per_hour"]) == (30, 1, 120)


def test_without_a_clock_bins_begin_with_the_recording() -> None:
    table = frame(counts_rows, count(None))
    assert table["bin_start_s"].unique().tolist() == [0, 60]
    assert set(table["clock"]) == {""}
    assert table["observed_s"].unique().tolist() == [60, 30, 90]


def test_movements_add_up_to_all_tracks_with_unknown_ends() -> None:
    table = frame(turning_movement_rows, count())
    table = table[table["bin_min"] == 5]
    assert table.columns[5:].tolist() == ["from", "to", *CLASSES, "total"]
    assert len(table) == 2 * 8
    found = table[table["total"] > 0]
    assert found[["from", "to", "total"]].to_numpy().tolist() == [
        ["west", "east", 2],
        ["west", "unknown", 1],
        ["east", "west", 1],
    ]
    assert (table[list(CLASSES)].sum(axis=1) == table["total"]).all()


def test_movements_between_zones_have_the_same_layout() -> None:
    lines, zones = frame(turning_movement_rows, count()), frame(zone_movement_rows, count())
    assert zones.columns.tolist() == lines.columns.tolist()
    found = zones[(zones["bin_min"] == 5) & (zones["total"] > 0)]
    assert found[["from", "to", "total"]].to_numpy().tolist() == [
        ["a", "b", 2],
        ["a", "unknown", 1],
        ["b", "a", 1],
    ]


def test_classes_are_gathered_in_every_table() -> None:
    groups = ["pedestrians and wheelchairs", "cars and light vehicles", "buses"]
    for rows in (crossings_rows, counts_rows, stay_rows, zone_rows, speed_rows):
        assert set(frame(rows, count(classes="groups"))["class"]) - {"all"} == set(groups)
    assert frame(turning_movement_rows, count(classes="groups")).columns[7:-1].tolist() == groups


def test_speeds_of_all_classes_are_more_than_the_sum_of_classes() -> None:
    table = frame(speed_rows, count()).query(
        "bin_min == 5 and line == 'west' and direction == 'in'"
    )
    first = table[table["bin_start_s"] == -270].set_index("class")
    assert first["measured"].to_dict() == {"pedestrian": 0, "car": 1, "bus": 1, "all": 2}
    assert first["median_m_s"].to_dict() | {"pedestrian": 0} == {
        "pedestrian": 0,
        "car": 20,
        "bus": 10,
        "all": 15,
    }
    assert first.loc["all", "p85_m_s"] == pytest.approx(18.5)


def test_stays_tell_whether_they_are_whole() -> None:
    table = frame(stay_rows, count())
    assert len(table) == 7
    first = table.iloc[0]
    assert (first["zone"], first["begins_inside"], first["ends_inside"]) == ("a", True, False)
    assert first["leave_s"] - first["enter_s"] == pytest.approx(0.325)


def test_zones_have_a_row_for_each_class_and_all() -> None:
    table = frame(zone_rows, count())
    assert len(table) == 2 * (2 + 2) * (len(CLASSES) + 1)
    table = table[(table["bin_min"] == 5) & (table["zone"] == "a")]
    entries = table.groupby("class")["entries"].sum()
    assert entries.to_dict() == {"all": 4, "bus": 1, "car": 2, "pedestrian": 1}


@pytest.mark.parametrize("rows", TABLES)
def test_tables_of_nothing_have_their_columns(
    rows: Callable[[Mapping[str, Traffic]], Columns],
) -> None:
    empty = frame(rows)
    assert len(empty) == 0
    assert set(empty.columns) <= set(frame(rows, count()).columns)
    assert {"recording"} <= set(empty.columns)


@pytest.mark.parametrize("rows", TABLES)
def test_a_site_of_nothing_has_tables(
    rows: Callable[[Mapping[str, Traffic]], Columns],
) -> None:
    site = Site(image=SITE.image)
    settings = CountSettings()
    traffic = count_recording(TRACKS, site, observed(90_000_000), settings, CLASSES)
    assert len(frame(rows, traffic)) == 0


def test_columns_are_of_equal_length_and_numbers_are_no_texts() -> None:
    for rows in TABLES:
        table = rows({"one": count()})
        assert len({len(column) for column in table.values()}) == 1
        texts = {name for name, column in table.items() if column.dtype == object}
        assert texts <= {
            *("recording", "clock", "line", "direction", "class", "state", "zone", "from", "to")
        }
        assert np.array(table["recording"]).tolist()[0] == "one"
