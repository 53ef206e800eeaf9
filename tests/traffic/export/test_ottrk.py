"""Tracks as OTAnalytics reads them."""

import bz2
import json
import re
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from etram_pipeline.tracks.table import empty_tracks
from etram_pipeline.traffic.export import ottrk
from etram_pipeline.traffic.export.recording import ExportedRecording
from etram_pipeline.traffic.export.road_users import road_user

START = datetime(2026, 6, 1, 7, 30, tzinfo=UTC).timestamp()


def written(recording: ExportedRecording, folder: Path) -> dict[str, Any]:
    ottrk.write(folder / "a.ottrk", recording)
    content: dict[str, Any] = json.loads(bz2.decompress((folder / "a.ottrk").read_bytes()))
    return content


def test_boxes_have_the_members_that_otanalytics_reads(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    detections = written(recording, tmp_path)["data"]["detections"]
    assert len(detections) == len(recording.tracks)
    assert detections[3] == {
        "class": "other",
        "confidence": 0.875,
        "x": 100,
        "y": 100,
        "w": 20,
        "h": 10,
        "frame": 3,
        "occurrence": START + 0.15,
        "input_file_path": "street_FR20_2026-06-01_07-30-00.otdet",
        "interpolated-detection": False,
        "first": True,
        "finished": False,
        "track-id": 2,
    }
    car = [each for each in detections if each["track-id"] == 1]
    assert [each["first"] for each in car] == [True] + 5 * [False]
    assert [each["finished"] for each in car] == 5 * [False] + [True]
    assert [each["interpolated-detection"] for each in car] == [False, False, True, *3 * [False]]


def test_metadata_tell_versions_video_and_classes(
    recording: ExportedRecording, tmp_path: Path
) -> None:
    metadata = written(recording, tmp_path)["metadata"]
    assert (metadata["otdet_version"], metadata["ottrk_version"]) == ("1.2", "1.1")
    assert metadata["video"] == {
        "filename": "street_FR20_2026-06-01_07-30-00",
        "filetype": ".mp4",
        "width": 1280,
        "height": 720,
        "recorded_fps": 20,
        "actual_fps": 20,
        "number_of_frames": 10,
        "recorded_start_date": START,
        "expected_duration": 0.5,
        "length": "0:00:00",
    }
    assert metadata["tracking"]["tracking_run_id"] == "test/street"
    assert set(metadata["detection"]["model"]["classes"].values()) == {
        *("pedestrian", "car", "bicyclist", "bus", "motorcyclist", "truck", "train", "other")
    }


def test_names_that_opentrafficcam_lacks_are_other() -> None:
    assert road_user("scooter") == "other"
    assert road_user("bicyclist") == road_user("bicycle") == "bicyclist"
    assert road_user("scooter", unknown="scooter") == "scooter"
    assert road_user("wheelchair", unknown="wheelchair") == "other"


@pytest.mark.parametrize("name", ["street", "a-b", "北", "."])
def test_otanalytics_finds_a_camera_in_the_name_of_the_video(
    recording: ExportedRecording, tmp_path: Path, name: str
) -> None:
    video = written(replace(recording, name=name), tmp_path)["metadata"]["video"]
    assert re.search(r"[A-Za-z0-9]+_.*\..*", video["filename"] + video["filetype"])


@pytest.mark.parametrize("rows", [1, 4, 9, 10])
def test_parts_join_without_seam(
    recording: ExportedRecording, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    whole = written(recording, tmp_path)
    monkeypatch.setattr(ottrk, "_ROWS", rows)
    assert written(recording, tmp_path) == whole


def test_nothing_tracked_is_an_empty_list(recording: ExportedRecording, tmp_path: Path) -> None:
    content = written(replace(recording, tracks=empty_tracks()), tmp_path)
    assert content["data"] == {"detections": []}
