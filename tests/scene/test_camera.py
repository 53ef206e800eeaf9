import numpy as np
import pytest

from etram_pipeline.scene.camera import Camera, place_camera
from etram_pipeline.scene.settings import SceneSettings

LEVEL = Camera(
    height=400, width=600, focal_px=700.0, horizon_px=-50.0, mast_m=13.0, slant=0.0, turn_m=30.0
)


def test_point_ahead_is_seen_in_the_middle_at_its_scale() -> None:
    seen = LEVEL.project(np.array([0.0]), 35.0)
    assert (seen.x[0], seen.y[0], seen.px_per_m[0]) == (300.0, 210.0, 20.0)


def test_metres_to_the_right_are_seen_at_that_scale() -> None:
    seen = LEVEL.project(np.array([-2.0, 3.0]), 35.0)
    assert seen.x.tolist() == [260.0, 360.0]


@pytest.mark.parametrize("seed", range(5))
def test_what_is_projected_is_found_again(seed: int) -> None:
    camera = place_camera(SceneSettings(), np.random.default_rng(seed))
    along_m = np.array([-9.0, 0.0, 4.5])
    seen = camera.project(along_m, 31.0)
    found = camera.unproject(seen.x, seen.y)
    assert found[0] == pytest.approx(along_m)
    assert found[1] == pytest.approx(np.full(3, 31.0))


@pytest.mark.parametrize("size", [(192, 320), (384, 640), (720, 1280)])
def test_scene_fills_any_sensor_alike(size: tuple[int, int]) -> None:
    settings = SceneSettings(height=size[0], width=size[1])
    camera = place_camera(settings, np.random.default_rng(0))
    near, far = camera.project(np.zeros(1), 24.0), camera.project(np.zeros(1), 40.0)
    assert 0.75 < near.y[0] / size[0] < 1.0
    assert 0.4 < far.y[0] / size[0] < 0.65
    assert 60 < 4.4 * far.px_per_m[0] / settings.scale < 150
