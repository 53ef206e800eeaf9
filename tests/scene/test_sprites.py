import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.scene.canvas import Point
from etram_pipeline.scene.light import DAY, NIGHT, Light
from etram_pipeline.scene.sprites import KINDS, Sprite, choose_size, draw_sprite

PX_PER_M = 10.0


def sprite(class_name: str, seed: int = 0, light: Light = DAY) -> tuple[Sprite, Point]:
    size_m = choose_size(class_name, np.random.default_rng(seed))
    return draw_sprite(class_name, size_m, PX_PER_M, seed, light), size_m


def test_every_class_is_drawn() -> None:
    assert tuple(KINDS) == etram.CLASSES


@pytest.mark.parametrize("class_name", etram.CLASSES)
def test_box_has_the_size_of_the_road_user(class_name: str) -> None:
    drawn, (length_m, height_m) = sprite(class_name)
    height = drawn.boxes[:, 1] - drawn.boxes[:, 0] + 1
    width = drawn.boxes[:, 3] - drawn.boxes[:, 2] + 1
    assert height.max() / PX_PER_M == pytest.approx(height_m, rel=0.1, abs=0.15)
    assert width.max() / PX_PER_M == pytest.approx(length_m, rel=0.15, abs=0.2)


@pytest.mark.parametrize("class_name", etram.CLASSES)
def test_road_user_stands_on_the_ground(class_name: str) -> None:
    drawn, _ = sprite(class_name)
    assert np.abs(drawn.boxes[:, 1] + 1 - drawn.anchor_px[1]).max() <= 2


@pytest.mark.parametrize("class_name", etram.CLASSES)
@pytest.mark.parametrize("light", [DAY, NIGHT])
def test_border_is_empty_and_extents_hold_all(class_name: str, light: Light) -> None:
    drawn, _ = sprite(class_name, light=light)
    border = np.ones_like(drawn.frames[0, 0], bool)
    border[1:-1, 1:-1] = False
    assert not drawn.frames[..., border].any()
    columns = np.arange(border.shape[-1])
    inside = (columns >= drawn.extents[:, :1]) & (columns <= drawn.extents[:, 1:])
    assert np.abs(drawn.frames[:, 1:, ~inside]).max() <= 0.01


@pytest.mark.parametrize("class_name", etram.CLASSES)
def test_something_moves_and_the_rest_stays(class_name: str) -> None:
    drawn, _ = sprite(class_name)
    changes = np.ptp(drawn.frames[:, 0], axis=0) > 0.05
    assert 0 < changes.mean() < 0.6


@pytest.mark.parametrize("class_name", etram.CLASSES)
def test_seeds_give_different_looks(class_name: str) -> None:
    size_m = choose_size(class_name, np.random.default_rng(0))
    looks = [draw_sprite(class_name, size_m, PX_PER_M, seed, DAY).frames for seed in range(4)]
    assert len({look.tobytes() for look in looks}) == 4


@pytest.mark.parametrize("class_name", ["car", "pedestrian"])
def test_mirrored_sprite_faces_the_other_way(class_name: str) -> None:
    drawn, _ = sprite(class_name, light=NIGHT)
    mirrored = drawn.mirrored()
    assert np.array_equal(mirrored.frames, drawn.frames[..., ::-1])
    last = drawn.frames.shape[3] - 1
    assert np.array_equal(mirrored.boxes[:, 2], last - drawn.boxes[:, 3])
    again = mirrored.mirrored()
    assert np.array_equal(again.extents, drawn.extents)
    assert np.array_equal(again.boxes, drawn.boxes)
    assert again.anchor_px == drawn.anchor_px


def test_only_vehicles_light_the_night() -> None:
    lit = {name for name in etram.CLASSES if sprite(name, light=NIGHT)[0].lit}
    assert lit == {"car", "bus", "motorbike", "truck", "tram"}
    assert not sprite("car")[0].lit


def test_night_lessens_contrast() -> None:
    by_day, by_night = (np.ptp(light.expose(np.array([-3.0, 0.0]))) for light in (DAY, NIGHT))
    assert by_night < 0.8 * by_day


@pytest.mark.parametrize("class_name", etram.CLASSES)
def test_road_user_too_small_to_see_has_an_empty_box(class_name: str) -> None:
    drawn = draw_sprite(class_name, (0.5, 0.5), 0.5, 0, DAY)
    height, width = (drawn.boxes[:, last] - drawn.boxes[:, last - 1] + 1 for last in (1, 3))
    assert (height >= 0).all()
    assert ((height == 0) == (width == 0)).all()
