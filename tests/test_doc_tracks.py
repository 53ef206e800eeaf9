"""What pages say of tracks and traffic: every name, and the values of settings."""

import re

from tests.pages import column, first_column, text_of

from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.protocols import TRACK_PROTOCOLS
from etram_pipeline.evaluation.tracks.result import TrackMetrics
from etram_pipeline.evaluation.tracks.values import COUNTS, VALUES
from etram_pipeline.tracks.table import TRACK_DTYPE
from etram_pipeline.tracks.trackers.static_camera import Config as StaticCamera
from etram_pipeline.traffic import tables

TABLES_OF_TRAFFIC = {
    "counts": tables.counts_rows,
    "crossings": tables.crossings_rows,
    "speeds": tables.speed_rows,
    "turning_movements": tables.turning_movement_rows,
    "zones": tables.zone_rows,
    "stays": tables.stay_rows,
    "zone_movements": tables.zone_movement_rows,
}


def test_the_columns_of_tracks_are_those_stored() -> None:
    assert sorted(first_column("Tracks")) == sorted(TRACK_DTYPE.names or ())


def test_the_keys_of_scores_of_tracks_and_counts_are_those_written() -> None:
    assert sorted(first_column("Scores of tracks")) == sorted(TrackMetrics.model_fields)
    assert sorted(first_column("Errors of counts")) == sorted(CountMetrics.model_fields)


def test_the_table_of_track_protocols_lists_every_one() -> None:
    assert column("docs/tracking.md", "protocol") == list(TRACK_PROTOCOLS)


def test_the_values_and_counts_of_tracks_are_explained() -> None:
    explained = column("docs/tracking.md", "value")
    names = {each.name for each in (*VALUES, *COUNTS)}
    assert set(explained) <= names
    assert {each.name for each in VALUES} <= set(explained)


def test_the_settings_of_tracker_and_protocol_are_explained() -> None:
    settings = column("docs/tracking.md", "setting of `track.tracker`")
    assert sorted(settings) == sorted(set(StaticCamera.model_fields) - {"kind"})
    fields = column("docs/tracking.md", "field")
    assert sorted(fields) == sorted(set(TrackProtocol.model_fields) - {"name", "description"})


def test_the_defaults_of_the_tracker_are_those_in_the_table() -> None:
    tracker = StaticCamera()
    rows = re.findall(
        r"^\| (`\w+`(?:, `\w+`)*) \| ([\d.][^|]*) \|", text_of("docs/tracking.md"), re.MULTILINE
    )
    told = {
        name: float(re.match(r"[\d.]+", value)[0])  # type: ignore[index]
        for names, values in rows
        if set(re.findall(r"\w+", names)) <= set(StaticCamera.model_fields)
        for name, value in zip(re.findall(r"\w+", names), values.split(", "), strict=True)
    }
    assert len(told) > 15
    assert {name: getattr(tracker, name) for name in told} == told


def test_the_columns_of_traffic_tables_are_explained() -> None:
    page = text_of("docs/traffic.md")
    common = set(column("docs/traffic.md", "column"))
    for name, rows in TABLES_OF_TRAFFIC.items():
        assert f"**`{name}.csv`**" in page
        assert set(rows({})) - {"from", "to", "total"} <= common, name
