"""Suspected label errors."""

from collections.abc import Callable

import numpy as np
import pytest
from tests.analysis.planted_labels import NAMES, TIMES_US, framed, plant, simulate

from etram_pipeline.analysis.suspect_rows import SUSPECT_COLUMNS, suspect_rows
from etram_pipeline.analysis.suspects import Suspect, find_suspects
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.tracks.table import TrackTable, labelled_tracks

KEY = "test/test_day_0001"
Boxes = Callable[..., LabelTable]


@pytest.fixture
def boxes() -> Boxes:
    """Makes the labels of a road user of 40 x 20 px that drives 4 px a moment."""

    def make(
        moments: range, track: int = 1, class_id: int = 1, y: float = 100, speed: float = 4
    ) -> LabelTable:
        table = np.zeros(len(moments), LABEL_DTYPE)
        table["t"], table["track_id"], table["class_id"] = TIMES_US[moments], track, class_id
        table["x"], table["y"], table["w"], table["h"] = 100 + speed * np.array(moments), y, 40, 20
        return table

    return make


def suspects(labels: LabelTable, tracks: TrackTable, score: float = 0.8) -> list[Suspect]:
    """Suspects of one recording, in which all detections have one score."""
    tracks = tracks.copy()
    tracks["score"] = score
    return find_suspects({KEY: framed(labels)}, {KEY: tracks})


@pytest.mark.parametrize("seed", range(6))
def test_eight_of_ten_planted_errors_are_among_the_first_twenty(seed: int) -> None:
    labels, tracks = simulate(seed)
    wrong, planted = plant(labels, seed)
    assert len(planted) == 10
    ranked = find_suspects({key: framed(table) for key, table in wrong.items()}, tracks)
    first = ranked[:20]
    found = [error.kind for error in planted if any(map(error.is_found_by, first))]
    assert len(found) >= 8, found


def test_labels_that_agree_with_the_tracks_give_no_suspect(boxes: Boxes) -> None:
    labels = np.concatenate([boxes(range(20)), boxes(range(5, 30), track=2, y=200)])
    assert suspects(labels, labelled_tracks(labels)) == []


def test_a_stable_track_without_labels_is_a_missing_label(boxes: Boxes) -> None:
    labelled, unlabelled = boxes(range(20)), boxes(range(10, 19), track=2, y=200)
    tracks = labelled_tracks(np.concatenate([labelled, unlabelled]))
    (found,) = suspects(labelled, tracks)
    assert (found.kind, found.recording, found.num_moments) == ("missing_label", KEY, 9)
    assert (found.start_us, found.middle_us, found.stop_us) == (1_100_000, 1_500_000, 1_900_000)
    assert found.box_xywh == (156, 200, 40, 20)
    assert (found.class_found, found.class_labelled) == (1, None)
    # 20 of 20 rows of the other car are labelled; 9 of 9 + 3 moments, with a score of 0.8.
    assert found.suspicion == pytest.approx(9 / 12 * 0.8 * 1)


def test_what_is_found_between_labelled_moments_is_no_suspect(boxes: Boxes) -> None:
    labelled, unlabelled = boxes(range(20)), boxes(range(10), track=2, y=200)
    tracks = labelled_tracks(np.concatenate([labelled, unlabelled]))
    tracks["t"][tracks["track_id"] == 2] += 50_000
    assert suspects(labelled, tracks) == []


def test_what_is_found_in_an_empty_annotated_moment_is_a_suspect(boxes: Boxes) -> None:
    tracks = labelled_tracks(boxes(range(10)))
    nothing = boxes(range(0))
    (found,) = suspects(nothing, tracks)
    assert (found.kind, found.num_moments) == ("missing_label", 10)


def test_a_part_of_a_labelled_road_user_is_less_suspicious(boxes: Boxes) -> None:
    labels = boxes(range(20))
    part = boxes(range(20), track=2)
    part["w"], part["h"] = 10, 10
    (found,) = suspects(labels, labelled_tracks(np.concatenate([labels, part])))
    assert found.kind == "missing_label"
    assert found.suspicion == 0


def test_a_label_of_another_class_than_its_track_is_suspicious(boxes: Boxes) -> None:
    truth = np.concatenate([boxes(range(20)), boxes(range(30), track=2, class_id=2, y=200)])
    labels = truth.copy()
    labels["class_id"][(labels["track_id"] == 1) & (labels["t"] > 1_500_000)] = 2
    (found,) = suspects(labels, labelled_tracks(truth))
    assert (found.kind, found.num_moments) == ("wrong_class", 5)
    assert (found.class_found, found.class_labelled) == (1, 2)
    assert found.suspicion == pytest.approx(5 / 8 * 0.8)


def test_a_class_that_is_often_mistaken_is_less_suspicious(boxes: Boxes) -> None:
    truth = np.concatenate([boxes(range(20), track=track, y=30 * track) for track in (1, 2, 3)])
    tracks = labelled_tracks(truth)
    tracks["class_id"][np.isin(tracks["track_id"], [1, 2])] = 2
    one, other = suspects(truth, tracks)
    # Of the 40 other labels 20 are found as this class too, and one more is not.
    assert one.suspicion == other.suspicion == pytest.approx(20 / 23 * 0.8 * (1 - 20 / 41))


def test_a_moving_label_that_nothing_finds_is_a_ghost(boxes: Boxes) -> None:
    real, ghost = boxes(range(30)), boxes(range(12), track=2, y=200)
    (found,) = suspects(np.concatenate([real, ghost]), labelled_tracks(real))
    assert (found.kind, found.num_moments) == ("ghost_label", 12)
    assert (found.mean_score, found.track_id) == (None, 2)
    assert found.suspicion == pytest.approx(12 / 15)


def test_a_label_that_stands_still_is_hardly_suspicious(boxes: Boxes) -> None:
    real, parked = boxes(range(30)), boxes(range(12), track=2, y=200, speed=0)
    (found,) = suspects(np.concatenate([real, parked]), labelled_tracks(real))
    assert found.suspicion == pytest.approx(0.1 * 12 / 15)


def test_a_road_user_that_is_lost_for_a_while_is_less_suspicious_than_a_ghost(boxes: Boxes) -> None:
    labels = np.concatenate([boxes(range(30)), boxes(range(40), track=2, y=200)])
    tracks = labelled_tracks(labels)
    lost = (tracks["track_id"] == 2) & (tracks["t"] > 1_000_000) & (tracks["t"] <= 2_000_000)
    (found,) = suspects(labels, tracks[~lost])
    assert (found.kind, found.num_moments) == ("ghost_label", 10)
    assert found.suspicion == pytest.approx(10 / 13 * 10 / 40)


def test_a_box_beside_its_track_is_misplaced(boxes: Boxes) -> None:
    truth = np.concatenate([boxes(range(30)), boxes(range(30), track=2, y=200)])
    labels = truth.copy()
    labels["x"][(labels["track_id"] == 2) & (labels["t"] <= 900_000)] += 20
    (found,) = suspects(labels, labelled_tracks(truth))
    assert (found.kind, found.num_moments) == ("misplaced_box", 9)
    assert found.iou == pytest.approx(1 / 3)
    assert found.suspicion == pytest.approx(9 / 12 * 0.8 * 2 / 3)


def test_labels_without_track_ids_are_followed_by_their_overlap(boxes: Boxes) -> None:
    real, ghost = boxes(range(30)), boxes(range(12), track=2, y=200)
    labels = np.concatenate([real, ghost])
    labels["track_id"] = 0
    (found,) = suspects(labels, labelled_tracks(real))
    assert (found.kind, found.num_moments) == ("ghost_label", 12)


def test_suspects_are_rows_with_a_reason(boxes: Boxes) -> None:
    labelled, unlabelled = boxes(range(20)), boxes(range(10, 19), track=2, y=200)
    tracks = labelled_tracks(np.concatenate([labelled, unlabelled]))
    (row,) = suspect_rows(suspects(labelled, tracks), NAMES)
    assert tuple(row) == SUSPECT_COLUMNS
    assert (row["rank"], row["start_s"], row["stop_s"]) == (1, 1.1, 1.9)
    assert (row["class_found"], row["class_labelled"], row["track_id"]) == ("car", "", "")
    assert row["reason"] == (
        "a car is found in 9 moments where nothing is labelled; "
        "100 % of what is found as car elsewhere is labelled"
    )


def test_recordings_without_detections_or_labels_give_no_error(boxes: Boxes) -> None:
    nothing, labels = boxes(range(0)), boxes(range(3))
    assert suspects(nothing, labelled_tracks(nothing)) == []
    (found,) = suspects(labels, labelled_tracks(nothing))
    assert found.kind == "ghost_label"
    assert find_suspects({}, {}) == []
