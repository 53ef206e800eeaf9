"""Tracks as GeoJSON."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import empty_tracks
from etram_pipeline.traffic.export import track_lines
from etram_pipeline.traffic.export.recording import ExportedRecording


def written(recording: ExportedRecording, folder: Path) -> dict[str, Any]:
    track_lines.write(folder / "a.geojson", recording)
    content: dict[str, Any] = json.loads((folder / "a.geojson").read_text())
    return content


def test_lines_join_ground_points_in_px_that_go_up(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    content = written(recording, tmp_path)
    assert (content["type"], content["unit"]) == ("FeatureCollection", "px")
    car, wheelchair = content["features"]
    assert car["geometry"] == {
        "type": "LineString",
        "coordinates": [[110 + 10 * k, -60] for k in range(6)],
    }
    assert wheelchair["geometry"]["coordinates"] == [[110 + 10 * k, -110] for k in range(3)]
    assert wheelchair["properties"] == {
        "track_id": 2,
        "class": "wheelchair",
        "begin_s": 0.15,
        "end_s": 0.25,
        "begin": "2026-06-01T07:30:00.150000",
        "end": "2026-06-01T07:30:00.250000",
        "median_speed_m_s": None,
        "seconds": [0, 0.05, 0.1],
    }


def test_known_places_are_in_metres_and_others_are_left_out(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    tracks = recording.tracks.copy()
    car = np.flatnonzero(tracks["track_id"] == 1)
    tracks["x_m"][car[1:4]], tracks["y_m"][car[1:4]] = [1.5, 2.25, 3], [7, 7, 7.001]
    tracks["speed_m_s"][car[1:4]] = [13, 14, 13.456]
    tracks["x_m"][np.flatnonzero(tracks["track_id"] == 2)[0]] = 4  # one point is no line
    content = written(replace(recording, tracks=tracks), tmp_path)
    assert content["unit"] == "m"
    (feature,) = content["features"]
    assert feature["geometry"]["coordinates"] == [[1.5, 7], [2.25, 7], [3, 7]]
    assert feature["properties"]["begin_s"] == 0.1
    assert feature["properties"]["median_speed_m_s"] == 13.46


def test_without_clock_and_tracks_a_collection_remains(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    without = replace(recording, observed=Observed(1280, 720, 0, 500_000))
    assert "begin" not in written(without, tmp_path)["features"][0]["properties"]
    assert written(replace(recording, tracks=empty_tracks()), tmp_path)["features"] == []
