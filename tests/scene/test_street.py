import numpy as np
import pytest

from etram_pipeline.scene.camera import place_camera
from etram_pipeline.scene.light import DAY, NIGHT, Light
from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.street import paint_street
from etram_pipeline.scene.traffic import plan_lanes


def street(seed: int, light: Light, height: int = 96, width: int = 160) -> np.ndarray:
    rng = np.random.default_rng(seed)
    camera = place_camera(SceneSettings(height=height, width=width), rng)
    return paint_street(camera, plan_lanes(rng, 1.0), light, rng)


@pytest.mark.parametrize("size", [(96, 160), (33, 200), (200, 33)])
def test_street_fills_the_sensor(size: tuple[int, int]) -> None:
    picture = street(0, DAY, *size)
    assert picture.shape == size
    assert np.isfinite(picture).all()


def test_houses_stand_behind_the_street() -> None:
    picture = street(0, DAY)
    assert picture[:30].std() > 1.5 * picture[-20:].std()


def test_night_is_darker_with_less_contrast() -> None:
    day, night = street(0, DAY), street(0, NIGHT)
    assert night.mean() < day.mean() - 0.5
    assert night.std() < day.std()


def test_no_street_is_seen_twice() -> None:
    assert len({street(seed, DAY).tobytes() for seed in range(5)}) == 5
