"""Tracks of whole recordings, by properties that hold whatever is detected."""

from typing import Any

import numpy as np
import pytest
from benchmarks.junction import HEIGHT, WIDTH, simulate
from tests.tracks.scenes import SENSOR, follow, passing

from etram_pipeline.core.errors import TrackingError
from etram_pipeline.core.etram import CLASSES
from etram_pipeline.evaluation.tracks.scoring import evaluate_tracks
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import RESTED, TRACK_DTYPE, TrackTable

LABELS, DETECTIONS, TIMES_US = simulate(2, 60)


def junction(**settings: object) -> TrackTable:
    chosen = TrackSettings.model_validate(settings)
    return track_recording(DETECTIONS, TIMES_US, SENSOR, CLASSES, chosen)


@pytest.fixture(scope="module", params=[False, True], ids=["offline", "online"])
def mode(request: pytest.FixtureRequest) -> dict[str, Any]:
    return {"online": request.param}


def test_tracks_are_a_table_in_order_with_ids_from_1_in_order_of_appearance(
    mode: dict[str, Any],
) -> None:
    tracks = junction(**mode)
    assert tracks.dtype == TRACK_DTYPE
    keys = tracks["t"] * 10_000 + tracks["track_id"]
    assert (np.diff(keys) > 0).all()  # in order of time, then track; one box per track and time
    _, first = np.unique(tracks["track_id"], return_index=True)
    assert tracks["track_id"][np.sort(first)].tolist() == list(range(1, len(first) + 1))
    assert np.isin(tracks["t"], TIMES_US).all()


def test_boxes_are_on_the_sensor(mode: dict[str, Any]) -> None:
    tracks = junction(**mode)
    assert tracks["x"].min() >= 0
    assert tracks["y"].min() >= 0
    assert (tracks["x"] + tracks["w"]).max() <= WIDTH + 1e-3
    assert (tracks["y"] + tracks["h"]).max() <= HEIGHT + 1e-3
    assert min(tracks["w"].min(), tracks["h"].min()) > 0


def test_the_start_of_the_clock_does_not_matter(mode: dict[str, Any]) -> None:
    start_us = 1_700_000_000_123_457
    late = DETECTIONS.copy()
    late["t"] += start_us
    tracks = follow(late, TIMES_US + start_us, **mode)
    tracks["t"] -= start_us
    assert tracks.tobytes() == junction(**mode).tobytes()


def test_the_order_of_rows_does_not_matter(mode: dict[str, Any]) -> None:
    shuffled = np.random.default_rng(0).permutation(DETECTIONS)
    assert follow(shuffled, TIMES_US, **mode).tobytes() == junction(**mode).tobytes()


def test_twice_the_resolution_gives_the_same_tracks(mode: dict[str, Any]) -> None:
    large = DETECTIONS.copy()
    for name in "xywh":
        large[name] *= 2
    sensor = Observed(2 * WIDTH, 2 * HEIGHT, 0, 60_000_000)
    tracks = follow(large, TIMES_US, sensor=sensor, **mode, tracker={"border_px": 8})
    once = junction(**mode)
    assert tracks["track_id"].tolist() == once["track_id"].tolist()
    np.testing.assert_allclose(tracks["x"], 2 * once["x"], atol=1e-3)


def test_nothing_gives_no_tracks(mode: dict[str, Any]) -> None:
    assert len(follow(DETECTIONS[:0], TIMES_US, **mode)) == 0
    assert len(follow(DETECTIONS[:0], TIMES_US[:0], **mode)) == 0


def test_detections_without_a_box_are_ignored(caplog: pytest.LogCaptureFixture) -> None:
    faulty = DETECTIONS[:4].copy()
    faulty["x"][0], faulty["h"][1], faulty["w"][2], faulty["score"][3] = np.nan, 0, -5, np.nan
    tracks = follow(np.concatenate([DETECTIONS, faulty]), TIMES_US)
    assert tracks.tobytes() == junction().tobytes()
    assert f"4 of {len(DETECTIONS) + 4:,} detections have no score" in caplog.text


def test_a_class_without_a_name_is_an_error() -> None:
    unknown = DETECTIONS.copy()
    unknown["class_id"][7] = 8
    with pytest.raises(TrackingError, match=r"detections of class 8, but only 8 class names"):
        follow(unknown)


def test_detections_at_other_times_are_windows_too() -> None:
    assert follow(DETECTIONS).tobytes() == follow(DETECTIONS, np.unique(DETECTIONS["t"])).tobytes()


@pytest.mark.parametrize("speed", [100.0, 200.0])
def test_a_gap_does_not_multiply_the_velocity(speed: float) -> None:
    found = passing(5, speed)
    seen = found[(found["t"] <= 2_000_000) | (found["t"] > 2_500_000)]
    tracks = follow(seen, np.unique(seen["t"]), smooth=0)  # the windows of the gap are missing too
    assert set(tracks["track_id"]) == {1}
    velocity = np.diff(tracks["x"]) / (np.diff(tracks["t"]) / 1e6)
    np.testing.assert_allclose(velocity, speed, rtol=0.01)


def test_a_flicker_gives_no_row() -> None:
    found = passing(2)
    flicker = found[::5]
    assert len(follow(flicker, found["t"], least_travel=0)) == 0
    assert len(follow(flicker, found["t"], online=True)) == 0


def test_a_gap_of_a_moving_road_user_is_bridged() -> None:
    found = passing(5)
    seen = found[(found["t"] <= 2_000_000) | (found["t"] > 2_500_000)]
    tracks = follow(seen, found["t"])
    np.testing.assert_allclose(tracks["x"], found["x"], atol=1)
    in_gap = (tracks["t"] > 2_000_000) & (tracks["t"] <= 2_500_000)
    assert tracks["state"].tolist() == in_gap.astype(int).tolist()


def test_a_junction_has_road_users_that_rest() -> None:
    tracks = junction()
    assert 0.02 < (tracks["state"] == RESTED).mean() < 0.3
    assert len(np.unique(tracks["track_id"])) < len(
        np.unique(junction(tracker={"rest_s": 0})["track_id"])
    )


def test_perfect_boxes_are_never_given_to_others() -> None:
    labels = LABELS[LABELS["track_id"] % 2 == 0]  # sparse enough to tell everybody apart
    perfect = np.zeros(len(labels), DETECTIONS.dtype)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        perfect[name] = labels[name]
    perfect["score"] = 0.9
    tracks = {"test/junction": follow(perfect, least_travel=0)}
    metrics = evaluate_tracks({"test/junction": labels}, tracks, "etram_tracks_any", CLASSES)
    assert metrics.counts["IDSW"] == 0
    assert metrics.overall["HOTA"] > 0.95
