import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.recording import Events
from etram_pipeline.scene.canvas import Canvas
from etram_pipeline.scene.labels import BBOX_DTYPE, BoxTable, label_frame
from etram_pipeline.scene.placement import Placed
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.sprites import make_sprite
from etram_pipeline.scene.traffic import Lane, RoadUser

Simulated = tuple[Events, BoxTable]
LANE = Lane(
    across_m=30.0,
    direction=1,
    class_names=("car",),
    speed_m_s=1.0,
    gap_m=1.0,
    least_gap_m=1.0,
    stray_m=0.0,
    sway=0.0,
    sway_s=5.0,
    sway_phase=0.0,
)
SENSOR = SceneSettings(height=384, width=640, min_visible=0.3)


def square(left: float, top: float, scale: float = 1.0) -> Placed:
    """An opaque square of 20 px whose corner is at (`left`, `top`)."""
    canvas = Canvas((4.0, 4.0), (0.35, 0.35), 10.0, seed=0)
    canvas.colour[:], canvas.opacity[:] = 0.0, 0.0
    canvas.opacity[10:30, 10:30] = 1.0
    sprite = make_sprite([canvas], cycle_m=1.0)
    start = np.array([[left - 10 * scale], [top - 10 * scale], [scale]], np.float32)
    return Placed(sprite, start[0], start[1], start[2], cycle=np.zeros(1))


def users(count: int) -> list[RoadUser]:
    return [RoadUser("car", track + 1, LANE, 30.0, 0.0, (4.0, 1.5), 0) for track in range(count)]


def boxes_of(*placed: Placed) -> list[tuple[float, ...]]:
    table = label_frame(33_333, users(len(placed)), placed, SENSOR)
    return [tuple(row) for row in table[["track_id", "x", "y", "w", "h"]].tolist()]


def test_box_is_tight_around_what_is_opaque() -> None:
    assert boxes_of(square(100, 50)) == [(1, 100, 50, 20, 20)]


def test_box_grows_with_the_picture() -> None:
    assert boxes_of(square(100, 50, scale=1.5)) == [(1, 100, 50, 30, 30)]


def test_box_is_cut_at_the_border() -> None:
    assert boxes_of(square(-8, 50)) == [(1, 0, 50, 12, 20)]
    assert boxes_of(square(630, 376)) == []


def test_road_user_hidden_by_a_nearer_one_has_no_box() -> None:
    assert boxes_of(square(100, 50), square(104, 52)) == [(2, 104, 52, 20, 20)]


def test_partly_hidden_road_user_keeps_its_whole_box() -> None:
    assert boxes_of(square(100, 50), square(110, 50)) == [
        (1, 100, 50, 20, 20),
        (2, 110, 50, 20, 20),
    ]


def test_road_user_that_hides_another_is_not_hidden_by_it() -> None:
    farther, nearer = square(104, 52), square(100, 50)
    assert boxes_of(farther, nearer) == [(2, 100, 50, 20, 20)]


def test_small_road_user_has_no_box() -> None:
    assert boxes_of(square(100, 50, scale=0.45)) == []


def test_boxes_have_the_columns_of_etram(day: Simulated) -> None:
    _, boxes = day
    assert boxes.dtype == BBOX_DTYPE
    assert boxes.dtype.names == (
        *("t", "x", "y", "w", "h"),
        *("class_id", "class_confidence", "track_id"),
    )


def test_boxes_come_twenty_times_a_second(day: Simulated) -> None:
    _, boxes = day
    assert np.unique(boxes["t"]).tolist() == [50_000 * n for n in range(1, 11)]
    assert (np.diff(boxes["t"].astype(np.int64)) >= 0).all()


def test_boxes_are_on_the_sensor(either: Simulated) -> None:
    _, boxes = either
    assert len(boxes) > 30
    assert min(boxes["x"].min(), boxes["y"].min()) >= 0
    assert (boxes["x"] + boxes["w"]).max() <= 160
    assert (boxes["y"] + boxes["h"]).max() <= 96
    assert min(boxes["w"].min(), boxes["h"].min()) >= 10 / 4 - 1e-3


def test_track_keeps_its_class_and_moves_steadily(either: Simulated) -> None:
    _, boxes = either
    for track_id in np.unique(boxes["track_id"]):
        track = boxes[boxes["track_id"] == track_id]
        assert len(np.unique(track["class_id"])) == 1
        assert len(np.unique(track["t"])) == len(track)
        following = np.diff(track["t"].astype(np.int64)) < 40_000
        middle = track["x"] + track["w"] / 2
        assert np.abs(np.diff(middle)[following]).max(initial=0) < 8


@pytest.mark.parametrize("name", etram.CLASSES)
def test_class_ids_are_those_of_etram(name: str) -> None:
    (row,) = label_frame(
        1, [RoadUser(name, 7, LANE, 30.0, 0.0, (4.0, 1.5), 0)], [square(9, 9)], SENSOR
    )
    etram = ["pedestrian", "car", "bicycle", "bus", "motorbike", "truck", "tram", "wheelchair"]
    assert (row["class_id"], row["track_id"]) == (etram.index(name), 7)
