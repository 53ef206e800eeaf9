"""What every tracker does, window by window."""

import pickle
import sys

import numpy as np
import pytest
from benchmarks.junction import HEIGHT, WIDTH, simulate
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError
from tests.tracks.scenes import follow, passing

from etram_pipeline.core.component import kinds
from etram_pipeline.core.errors import SettingsError, TrackingError
from etram_pipeline.core.etram import CLASSES
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.tracks.table import TRACK_DTYPE, TrackTable
from etram_pipeline.tracks.trackers import Tracker, TrackerConfig

KINDS = kinds("etram_pipeline.tracks.trackers")
SIGNED_DTYPE = np.dtype(
    [
        (name, "<i8" if name == "class_id" else DETECTION_DTYPE[name])
        for name in DETECTION_DTYPE.names or ()
    ]
)
_, DETECTIONS, TIMES_US = simulate(1, 20)


def build(kind: str = "static_camera", **fields: object) -> Tracker:
    return TrackerConfig.model_validate({"kind": kind, **fields}).build(WIDTH, HEIGHT, CLASSES)


def rows_of(tracker: Tracker, times_us: np.ndarray, found: DetectionTable) -> list[TrackTable]:
    return [tracker.update(time, found[found["t"] == time]) for time in times_us.tolist()]


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracker_reports_what_was_detected_now(kind: str) -> None:
    tracks = rows_of(build(kind), TIMES_US, DETECTIONS)
    assert sum(map(len, tracks)) > 900
    for time_us, rows in zip(TIMES_US, tracks, strict=True):
        assert rows.dtype == TRACK_DTYPE
        assert (rows["t"] == time_us).all()
        assert (np.diff(rows["track_id"].astype(int)) > 0).all()
        assert (rows["state"] == 0).all()
        assert np.isnan(rows["x_m"]).all()
        boxes = DETECTIONS[DETECTIONS["t"] == time_us]
        detected = {tuple(box) for box in boxes[["x", "y", "w", "h", "class_id"]].tolist()}
        assert {
            tuple(row) for row in rows[["x", "y", "w", "h", "detected_class_id"]].tolist()
        } <= detected


@pytest.mark.parametrize("kind", KINDS)
def test_a_tracker_continues_from_a_pickle(kind: str) -> None:
    whole, interrupted = build(kind), build(kind)
    first, rest = TIMES_US[:150], TIMES_US[150:]
    rows_of(whole, first, DETECTIONS)
    rows_of(interrupted, first, DETECTIONS)
    resumed = pickle.loads(pickle.dumps(interrupted))
    for one, other in zip(
        rows_of(whole, rest, DETECTIONS), rows_of(resumed, rest, DETECTIONS), strict=True
    ):
        assert one.tobytes() == other.tobytes()


@pytest.mark.parametrize("kind", KINDS)
def test_windows_must_be_in_order_of_time(kind: str) -> None:
    tracker = build(kind)
    tracker.update(50_000, DETECTIONS[:0])
    for time_us in (50_000, 0):
        with pytest.raises(TrackingError, match=f"ends at {time_us} us, but the previous one at 5"):
            tracker.update(time_us, DETECTIONS[:0])


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("class_id", [8, -1])
def test_a_class_without_a_name_is_an_error(kind: str, class_id: int) -> None:
    found = passing(0.05).astype(SIGNED_DTYPE)
    found["class_id"] = class_id
    message = f"detections of class {class_id}, but only 8 class names"
    with pytest.raises(TrackingError, match=message):
        build(kind).update(50_000, found)


@pytest.mark.parametrize("kind", KINDS)
def test_other_layouts_of_the_table_are_followed_too(kind: str) -> None:
    aligned = np.zeros(len(DETECTIONS), np.dtype([*LABEL_DTYPE.descr[:8], ("score", "<f8")]))
    for name in aligned.dtype.names or ():
        aligned[name] = DETECTIONS[name]
    aligned.flags.writeable = False
    rows = np.concatenate(rows_of(build(kind), TIMES_US, DETECTIONS))
    assert np.concatenate(rows_of(build(kind), TIMES_US, aligned)).tobytes() == rows.tobytes()


boxes = st.tuples(
    st.floats(-100, 1400, width=32),
    st.floats(-100, 800, width=32),
    st.one_of(st.floats(width=32), st.floats(1, 300, width=32)),
    st.floats(1, 300, width=32),
    st.floats(0, 1, width=32),
    st.integers(0, 7),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.lists(boxes, max_size=6), max_size=15), st.lists(st.integers(1, 10**6)))
def test_whatever_is_detected_gives_a_valid_table(
    found: list[list[tuple[float, ...]]], steps_us: list[int]
) -> None:
    times_us = np.cumsum((steps_us + [50_000] * len(found))[: len(found)]).astype(np.int64)
    table = np.zeros(sum(map(len, found)), DETECTION_DTYPE)
    table["t"] = np.repeat(times_us, [len(each) for each in found])
    for row, each in enumerate(each for window in found for each in window):
        for name, value in zip(("x", "y", "w", "h", "score", "class_id"), each, strict=True):
            table[name][row] = value
    for online in (True, False):
        tracks = follow(table, times_us, online=online, tracker={"confirm_hits": 1})
        assert np.isfinite(tracks["x"]).all()
        assert (np.diff(tracks["t"] * 1000 + tracks["track_id"]) > 0).all()
        assert min(tracks["w"].min(initial=1), tracks["h"].min(initial=1)) > 0
        ids = np.unique(tracks["track_id"])
        assert ids.tolist() == list(range(1, len(ids) + 1))


def test_a_track_is_reported_when_it_is_confirmed_and_completed_for_those_who_look_back() -> None:
    found, tracker = passing(0.25), build()
    for hit, time_us in enumerate(found["t"].tolist()):
        rows = tracker.update(time_us, found[hit : hit + 1])
        earlier = tracker.earlier_rows()
        assert rows["track_id"].tolist() == [1] * (hit >= 2)
        assert earlier["t"].tolist() == ([50_000, 100_000] if hit == 2 else [])


def test_many_road_users_at_once_are_followed() -> None:
    found = np.concatenate([passing(1) for _ in range(200)])
    found["x"] += np.repeat(np.arange(200) % 20 * 100, 20)
    found["y"] = np.repeat(np.arange(200) // 20 * 60, 20)
    tracks = np.concatenate(rows_of(build(), found["t"][:20], found))
    assert len(np.unique(tracks["track_id"])) == 200
    assert np.bincount(tracks["track_id"])[1:].tolist() == [18] * 200


def test_the_least_score_is_not_above_the_one_of_the_first_match() -> None:
    with pytest.raises(ValidationError, match=r"low_score 0\.5 is above high_score 0\.4"):
        TrackerConfig.model_validate({"kind": "static_camera", "low_score": 0.5})


@pytest.mark.parametrize("algorithm", ["sort", "bytetrack", "ocsort", "cbiou"])
def test_the_library_follows_somebody_who_passes(algorithm: str) -> None:
    found = passing(5)
    tracks = follow(found, tracker={"kind": "roboflow", "algorithm": algorithm})
    assert set(tracks["track_id"]) == {1}
    assert len(tracks) >= len(found) - 3


def test_an_unknown_option_of_the_library_is_an_error() -> None:
    with pytest.raises(SettingsError, match="did you mean 'minimum_iou_threshold'"):
        build("roboflow", options={"min_iou_threshold": 0.2})
    build("roboflow", options={"minimum_iou_threshold": 0.2})


def test_a_missing_library_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "trackers", None)
    with pytest.raises(SettingsError, match=r"needs trackers.*pip install -e '\.\[trackers\]'"):
        build("roboflow")
