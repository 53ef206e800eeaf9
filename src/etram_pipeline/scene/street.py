"""The static background: house fronts, pavements, carriageways and tram rails."""

from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Float64

from etram_pipeline.scene.camera import Camera
from etram_pipeline.scene.canvas import smooth_noise
from etram_pipeline.scene.light import Light
from etram_pipeline.scene.traffic import Lane

Picture = Float32[np.ndarray, "H W"]
Map = Float64[np.ndarray, "H W"]


def paint_street(
    camera: Camera, lanes: list[Lane], light: Light, rng: np.random.Generator
) -> Picture:
    """Picture of the empty street, as natural logarithms of brightness.

    Args:
        camera: The camera.
        lanes: Lanes of the street, nearest first.
        light: Lighting of the scene.
        rng: Random number generator.
    """
    y = np.arange(camera.height, dtype=np.float64)[:, None] + 0.5
    x = np.arange(camera.width, dtype=np.float64)[None] + 0.5
    y, x = np.broadcast_arrays(y, x)
    along_m, across_m = camera.unproject(x, np.maximum(y, camera.horizon_px + 1))
    level = np.full(y.shape, rng.uniform(-1.5, -1.2))
    _paint_ground(level, along_m, across_m, lanes)
    house_m = max(lane.across_m for lane in lanes) + 4.5
    _paint_houses(level, across_m > house_m, camera, rng)
    unit_px = camera.height / 384
    level += 0.10 * smooth_noise(level.shape, 5 * unit_px, rng)
    level += 0.10 * smooth_noise(level.shape, 45 * unit_px, rng)
    level += 0.05 * rng.standard_normal(level.shape)
    return light.expose(level).astype(np.float32)


def _paint_ground(level: Map, along_m: Map, across_m: Map, lanes: list[Lane]) -> None:
    walkway = [lane for lane in lanes if "pedestrian" in lane.class_names]
    roads = [lane for lane in lanes if "car" in lane.class_names]
    cycling = [lane for lane in lanes if "bicycle" in lane.class_names]
    tracks = [lane for lane in lanes if "tram" in lane.class_names]
    kerb_m = max(lane.across_m for lane in walkway) + 1.1
    far_kerb_m = max(lane.across_m for lane in lanes) + 1.9
    paved = (across_m < kerb_m) | (across_m > far_kerb_m)
    slabs = (np.floor(along_m / 0.9) + np.floor(across_m / 0.9)) % 2
    level[paved] = -0.8 + 0.06 * slabs[paved]
    for edge_m in (kerb_m, far_kerb_m):
        level[_near(across_m, edge_m, 0.1)] = -0.4
    for lane in cycling:
        level[_near(across_m, lane.across_m, 0.85)] -= 0.2
        _paint_line(level, along_m, across_m, lane.across_m + 1.15, dash_m=0.0)
    for nearer, farther in pairwise(roads):
        middle_m = (nearer.across_m + farther.across_m) / 2
        _paint_line(level, along_m, across_m, middle_m, dash_m=3.0)
    for lane in tracks:
        level[_near(across_m, lane.across_m, 1.4)] += 0.25
        for side in (-0.72, 0.72):
            level[_near(across_m, lane.across_m + side, 0.07)] = -2.3


def _paint_line(level: Map, along_m: Map, across_m: Map, where_m: float, dash_m: float) -> None:
    line = _near(across_m, where_m, 0.09)
    if dash_m:
        line = line & ((along_m / dash_m) % 2 < 1)
    level[line] = 0.0


def _near(across_m: Map, where_m: float, reach_m: float) -> Bool[np.ndarray, "H W"]:
    near: Bool[np.ndarray, "H W"] = np.abs(across_m - where_m) < reach_m
    return near


def _paint_houses(
    level: Map,
    beyond: Bool[np.ndarray, "H W"],
    camera: Camera,
    rng: np.random.Generator,
) -> None:
    """House fronts on the far pavement, seen from the front."""
    foot = np.where(beyond.any(axis=0), camera.height - 1 - beyond[::-1].argmax(axis=0), -1)
    above_px = foot[None] - np.arange(camera.height)[:, None]
    unit_px = camera.height / 24.0
    up_m = np.where(beyond, above_px / unit_px, 0.0)
    column = 0
    while column < camera.width:
        width = int(rng.uniform(4.0, 9.0) * unit_px)
        front = slice(column, column + width)
        aside_m = (np.arange(camera.width)[None, front] - column) / unit_px
        wall, pane = rng.uniform(-1.6, -0.5), rng.uniform(-2.7, -1.8)
        wide_m, tall_m = rng.uniform(1.4, 2.2), rng.uniform(2.4, 3.2)
        in_pane = (aside_m % wide_m > 0.35 * wide_m) & (up_m[:, front] % tall_m > 0.45 * tall_m)
        shown = np.where(in_pane, pane, wall) - 0.03 * up_m[:, front]
        level[:, front] = np.where(beyond[:, front], shown, level[:, front])
        column += width
