"""Road users that halt at a signal: they vanish from the events and are continued afterwards."""

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.recording import Events
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.scene.labels import BoxTable
from etram_pipeline.scene.scene import simulate
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.signal import Signal
from etram_pipeline.tracks.following import track_recording
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import RESTED, TrackTable

SCENE = SceneSettings(
    height=192,
    width=320,
    duration_s=10,
    density=0.5,
    signal=Signal(first_s=1.5, brake_s=2.5, halt_s=3, cycle_s=20),
)
STANDING_US = 4_000_000, 7_000_000
BEFORE_US, AFTER_US = 2_000_000, 8_500_000
WINDOW_US = 50_000
LEAST_EVENTS_PER_PX = 0.02
"""Below this a road user cannot be told from noise."""

Simulated = tuple[Events, BoxTable]


@pytest.fixture(scope="module")
def halting() -> Simulated:
    """Events and boxes of a street at whose signal everybody but pedestrians halts."""
    return simulate(SCENE, seed=3)


def event_density(events: Events, box: np.void) -> float:
    """Events in a box per px, in the window that ends at the box's time."""
    first, last = np.searchsorted(events.t_us, [int(box["t"]) - WINDOW_US, int(box["t"])])
    x, y = (side[first:last].astype(np.float64) for side in (events.x, events.y))
    inside = (x >= box["x"]) & (x < box["x"] + box["w"])
    inside &= (y >= box["y"]) & (y < box["y"] + box["h"])
    return float(np.count_nonzero(inside) / (box["w"] * box["h"]))


def detections_where_something_moves(events: Events, boxes: BoxTable) -> DetectionTable:
    """Labels as a perfect detector without memory would find them."""
    seen = boxes[[event_density(events, box) > LEAST_EVENTS_PER_PX for box in boxes]]
    found = np.zeros(len(seen), DETECTION_DTYPE)
    for name in ("t", "x", "y", "w", "h", "class_id"):
        found[name] = seen[name]
    found["score"] = 0.9
    return found


def tracked(halting: Simulated, **tracker: object) -> TrackTable:
    events, boxes = halting
    settings = TrackSettings.model_validate({"tracker": {"kind": "static_camera", **tracker}})
    times_us = np.arange(WINDOW_US, SCENE.duration_us + 1, WINDOW_US)
    observed = Observed(SCENE.width, SCENE.height, 0, SCENE.duration_us)
    found = detections_where_something_moves(events, boxes)
    return track_recording(found, times_us, observed, etram.CLASSES, settings)


def through_the_halt(boxes: BoxTable) -> list[int]:
    """Those that stand at the signal and are labelled from before until after it."""
    walkers = [etram.CLASSES.index(name) for name in ("pedestrian", "wheelchair")]
    halting = boxes[~np.isin(boxes["class_id"], walkers)]
    ids = [halting["track_id"][halting["t"] == at_us] for at_us in (BEFORE_US, AFTER_US)]
    return sorted(set(ids[0].tolist()) & set(ids[1].tolist()))


def tracks_of(user: int, boxes: BoxTable, tracks: TrackTable) -> TrackTable:
    """Rows of all tracks at the places where a road user is labelled."""
    own = boxes[boxes["track_id"] == user]
    rows = tracks[np.isin(tracks["t"], own["t"])]
    label = own[np.searchsorted(own["t"], rows["t"])]
    left, top = (np.maximum(rows[name], label[name]) for name in ("x", "y"))
    right, low = (
        np.minimum(rows[corner] + rows[size], label[corner] + label[size])
        for corner, size in (("x", "w"), ("y", "h"))
    )
    common = np.maximum(right - left, 0) * np.maximum(low - top, 0)
    union = rows["w"] * rows["h"] + label["w"] * label["h"] - common
    found: TrackTable = rows[common > 0.5 * union]
    return found


def test_halted_road_users_are_labelled_but_cause_no_events(halting: Simulated) -> None:
    events, boxes = halting
    users = through_the_halt(boxes)
    assert len(users) >= 4
    own = boxes[np.isin(boxes["track_id"], users)]
    standing = own[(own["t"] > STANDING_US[0] + WINDOW_US) & (own["t"] <= STANDING_US[1])]
    moving = own[own["t"] <= 1_500_000]
    assert len(standing) > 0.8 * len(users) * 3_000_000 / WINDOW_US
    density = [
        np.median([event_density(events, box) for box in part]) for part in (standing, moving)
    ]
    assert density[0] < 0.02 * density[1]


def test_track_rests_where_its_road_user_halts_and_is_continued_when_it_sets_off(
    halting: Simulated,
) -> None:
    boxes, tracks = halting[1], tracked(halting)
    for user in through_the_halt(boxes):
        rows = tracks_of(user, boxes, tracks)
        assert ids_before_and_after(rows)[0] & ids_before_and_after(rows)[1]
        standing = rows[(rows["t"] > STANDING_US[0]) & (rows["t"] < STANDING_US[1])]
        assert np.mean(standing["state"] == RESTED) > 0.9


def test_without_rest_it_is_another_track_that_sets_off(halting: Simulated) -> None:
    boxes, tracks = halting[1], tracked(halting, rest_s=0)
    for user in through_the_halt(boxes):
        before, after = ids_before_and_after(tracks_of(user, boxes, tracks))
        assert before
        assert after
        assert not before & after


def ids_before_and_after(rows: TrackTable) -> tuple[set[int], set[int]]:
    before, after = rows["t"] <= BEFORE_US, rows["t"] >= AFTER_US
    return set(rows["track_id"][before].tolist()), set(rows["track_id"][after].tolist())
