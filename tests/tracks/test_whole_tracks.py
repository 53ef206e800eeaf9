"""What is done to whole tracks: gaps, smoothing, votes, companions, travel and borders."""

import numpy as np
import pytest
from tests.tracks.scenes import CAR, SENSOR, driving, follow, passing, windows

from etram_pipeline.core.etram import CLASSES
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.companions import companions
from etram_pipeline.tracks.finishing import cut_at_border, numbered
from etram_pipeline.tracks.settings import CompanionSettings, TrackSettings
from etram_pipeline.tracks.table import BRIDGED, RESTED, SEEN, TrackTable, empty_tracks

BUS, TRUCK = CLASSES.index("bus"), CLASSES.index("truck")
KEPT_LONG = {"kind": "roboflow", "algorithm": "ocsort", "lost_s": 10}


def test_boxes_are_averaged_over_windows_to_either_side() -> None:
    found = passing(2)
    found["y"] += np.where(np.arange(len(found)) % 2, 2, -2)
    rough, smooth = (follow(found, smooth=windows_aside) for windows_aside in (0, 2))
    np.testing.assert_array_equal(rough["y"], found["y"])
    assert np.abs(smooth["y"][2:-2] - 300).max() == pytest.approx(2 / 5, abs=1e-3)
    assert smooth["y"][[0, -1]].tolist() == found["y"][[0, -1]].tolist()


def test_the_class_is_a_vote_by_scores() -> None:
    found = passing(2)
    found["class_id"][::2], found["class_id"][1::2] = BUS, TRUCK
    found["score"][::2], found["score"][1::2] = 0.6, 0.8
    tracks = follow(found)
    assert set(tracks["class_id"]) == {TRUCK}
    np.testing.assert_array_equal(tracks["detected_class_id"], found["class_id"])


def test_a_live_system_votes_with_what_it_has_seen() -> None:
    found = passing(2)
    found["class_id"][:10], found["class_id"][10:] = BUS, TRUCK
    tracks = follow(found, online=True)
    assert tracks["class_id"][0] == BUS
    assert tracks["class_id"][-1] == TRUCK


@pytest.mark.parametrize(("bridge_s", "states"), [(0.3, {SEEN}), (0.5, {SEEN, BRIDGED})])
def test_gaps_of_moving_road_users_are_filled_up_to_a_length(
    bridge_s: float, states: set[int]
) -> None:
    found = passing(4)
    seen = found[(found["t"] <= 2_000_000) | (found["t"] > 2_400_000)]
    tracks = follow(seen, found["t"], bridge_s=bridge_s, smooth=0)
    assert set(tracks["track_id"]) == {1}
    assert len(tracks) == len(found if BRIDGED in states else seen)
    assert set(tracks["state"]) == states
    np.testing.assert_allclose(tracks["x"], 50 + 100 * tracks["t"] / 1e6, atol=1e-2)


def test_scores_are_interpolated_and_classes_are_those_of_the_last_detection() -> None:
    found = passing(2)
    found["score"], found["class_id"][15:] = np.linspace(0.5, 0.9, len(found)), BUS
    seen = np.delete(found, slice(15, 18))
    tracks = follow(seen, found["t"])
    np.testing.assert_allclose(tracks["score"], found["score"], atol=1e-6)
    assert tracks["detected_class_id"][13:20].tolist() == [CAR] * 5 + [BUS] * 2


def test_a_long_gap_of_another_tracker_is_a_rest_where_nobody_moved() -> None:
    times_us = windows(8)
    stands = driving(times_us, 400 + 30 * np.abs(times_us / 1e6 - 4).clip(1) - 30)
    seen = stands[(stands["t"] <= 3_000_000) | (stands["t"] > 5_000_000)]
    tracks = follow(seen, times_us, tracker=KEPT_LONG)
    assert set(tracks["track_id"]) == {1}
    rests = tracks["t"][tracks["state"] == RESTED]
    assert 3_000_000 < rests.min() < 3_200_000
    assert 4_800_000 < rests.max() < 5_200_000


def test_what_stays_where_it_is_is_dropped() -> None:
    rng = np.random.default_rng(0)
    tree = driving(windows(10), 500 + rng.normal(0, 4, 200))
    assert len(follow(tree)) == 0
    assert set(follow(tree, least_travel=0)["track_id"]) == {1}
    assert set(follow(tree, online=True)["track_id"]) == {1}  # only its whole life tells


def part_of(found: DetectionTable, share: float = 0.5) -> DetectionTable:
    """The front of somebody, found beside the whole."""
    part = found[10:60].copy()
    part["x"] += (1 - share) * part["w"]
    part["w"] *= share
    return part


def test_parts_of_a_long_vehicle_are_dropped() -> None:
    found = passing(5)
    both = np.concatenate([found, part_of(found)])
    assert set(follow(both, found["t"], companions=None)["track_id"]) == {1, 2}
    tracks = follow(both, found["t"])
    np.testing.assert_allclose(tracks["w"], 80, atol=1e-3)
    assert len(tracks) == len(found)


def test_neighbours_are_no_parts() -> None:
    found = passing(5)
    for x, y in ((0, 30), (60, 0)):
        neighbour = found.copy()
        neighbour["x"] += x
        neighbour["y"] += y
        tracks = follow(np.concatenate([found, neighbour]))
        assert set(tracks["track_id"]) == {1, 2}, (x, y)


def pair(overlapping: int, life: int = 10) -> TrackTable:
    """Two tracks that share their box for some windows."""
    table = empty_tracks(life + 20)
    table["t"] = np.concatenate([np.arange(life), np.arange(20)])
    table["track_id"] = np.repeat([1, 2], [life, 20])
    table["w"], table["h"] = 10, 10
    table["x"][:life] = np.where(np.arange(life) < overlapping, 3, 100)
    return table[np.lexsort((table["track_id"], table["t"]))]


@pytest.mark.parametrize(("overlapping", "gone"), [(5, []), (6, [1])])
def test_the_share_of_its_life_makes_a_companion(overlapping: int, gone: list[int]) -> None:
    assert companions(pair(overlapping), CompanionSettings()).tolist() == gone


def test_windows_of_any_number_of_rows_are_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etram_pipeline.tracks.companions._ROWS_AT_ONCE", 3)
    assert companions(pair(6), CompanionSettings()).tolist() == [1]
    assert companions(empty_tracks(), CompanionSettings()).tolist() == []


def test_boxes_are_cut_at_the_border(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("etram_pipeline.tracks.finishing._ROWS_AT_ONCE", 2)
    table = empty_tracks(4)
    table["x"], table["y"] = [-5, 1275, -20, 3], [5, 715, 5, 4]
    table["w"], table["h"] = 10, 8
    cut = cut_at_border(table, SENSOR.width, SENSOR.height)
    boxes = [tuple(row) for row in cut[["x", "y", "w", "h"]].tolist()]
    assert boxes == [(0, 5, 5, 8), (1275, 715, 5, 5), (3, 4, 10, 8)]


def test_ids_follow_the_order_of_appearance() -> None:
    table = empty_tracks(5)
    table["t"], table["track_id"] = [1, 1, 2, 2, 3], [9, 7, 4, 9, 7]
    tracks = numbered(table)
    assert tracks["track_id"].tolist() == [1, 2, 2, 3, 1]
    assert tracks["t"].tolist() == [1, 1, 2, 2, 3]


def test_settings_are_written_and_read_again() -> None:
    settings = TrackSettings.model_validate({"tracker": {"kind": "roboflow"}, "companions": None})
    assert TrackSettings.model_validate(settings.model_dump()) == settings
    assert TrackSettings.model_validate(TrackSettings().model_dump()) == TrackSettings()
