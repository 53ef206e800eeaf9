import numpy as np

from etram_pipeline.scene.camera import place_camera
from etram_pipeline.scene.light import DAY, NIGHT, Light
from etram_pipeline.scene.scenery import Scenery, plan_scenery
from etram_pipeline.scene.settings import SceneSettings

TIMES_S = np.linspace(0, 5, 500)


def scenery(seed: int, light: Light) -> list[Scenery]:
    rng = np.random.default_rng(seed)
    return plan_scenery(place_camera(SceneSettings(), rng), 41.0, light, rng)


def test_trees_sway_a_little_and_stay() -> None:
    trees = [tree for seed in range(6) for tree in scenery(seed, DAY)]
    assert len(trees) > 2
    for tree in trees:
        left = tree.place(TIMES_S).left
        assert 0 < np.ptp(left) < 10


def test_lamps_flicker_by_night_only() -> None:
    assert not any(thing.flicker_hz for seed in range(6) for thing in scenery(seed, DAY))
    lamps = [thing for thing in scenery(0, NIGHT) if thing.flicker_hz]
    assert len(lamps) == 3
    for lamp in lamps:
        placed = lamp.place(TIMES_S)
        assert np.ptp(placed.left) == 0
        assert np.ptp(placed.phase) > 2
        assert np.ptp(lamp.sprite.frames[:, 2].max(axis=(1, 2))) > 1
