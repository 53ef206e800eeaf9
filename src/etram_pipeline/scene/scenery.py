"""Moving things that are not road users: trees in the wind and flickering lamps."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from etram_pipeline.scene.camera import Camera
from etram_pipeline.scene.canvas import Canvas, Paint, smooth_noise
from etram_pipeline.scene.light import Light
from etram_pipeline.scene.placement import Placed
from etram_pipeline.scene.sprites import Sprite, make_sprite

_MAINS_HZ = 100.0


@dataclass(frozen=True)
class Scenery:
    """A stationary object that sways or flickers.

    Attributes:
        sprite: Its sprite.
        x: Column of its foot, in px.
        y: Row of its foot, in px.
        sway_px: Amplitude of the swaying, in px.
        sway_hz: Frequency of the swaying.
        flicker_hz: Animation cycles per second.
    """

    sprite: Sprite
    x: float
    y: float
    sway_px: float = 0.0
    sway_hz: float = 0.0
    flicker_hz: float = 0.0

    def place(self, times_s: Float64[np.ndarray, " T"]) -> Placed:
        """Its sprite at the given times, in seconds."""
        gust = 1 + 0.5 * np.sin(1.3 * times_s + self.x)
        aside_px = self.sway_px * gust * np.sin(2 * np.pi * self.sway_hz * times_s + self.y)
        column, row = self.sprite.anchor_px
        return Placed(
            sprite=self.sprite,
            left=(self.x - column + aside_px).astype(np.float32),
            top=np.full(len(times_s), self.y - row, np.float32),
            scale=np.ones(len(times_s), np.float32),
            cycle=self.flicker_hz * times_s,
        )


def plan_scenery(
    camera: Camera, across_m: float, light: Light, rng: np.random.Generator
) -> list[Scenery]:
    """Random trees on the far pavement, and street lamps at night.

    Args:
        camera: The camera.
        across_m: Distance of the far pavement from the camera, in metres.
        light: Lighting of the scene.
        rng: Random number generator.
    """
    things = []
    for _ in range(rng.integers(0, 3)):
        along_m = rng.uniform(-1, 1, 1) * camera.half_view_m(across_m)
        foot = camera.project(along_m, across_m + rng.uniform(0.5, 2.0))
        px_per_m = float(foot.px_per_m[0])
        things.append(
            Scenery(
                sprite=_draw_tree(px_per_m, light, rng),
                x=float(foot.x[0]),
                y=float(foot.y[0]),
                sway_px=rng.uniform(0.02, 0.06) * px_per_m,
                sway_hz=rng.uniform(0.3, 0.7),
            )
        )
    for along in np.arange(-0.8, 1, 0.8) + rng.uniform(-0.2, 0.2) if light.night else ():
        foot = camera.project(np.array([along * camera.half_view_m(across_m)]), across_m)
        lamp = _draw_lamp(float(foot.px_per_m[0]), int(rng.integers(2**31)))
        things.append(Scenery(lamp, float(foot.x[0]), float(foot.y[0]), flicker_hz=_MAINS_HZ))
    return things


def _draw_tree(px_per_m: float, light: Light, rng: np.random.Generator) -> Sprite:
    height_m, radius_m = rng.uniform(4.5, 6.5), rng.uniform(1.3, 1.9)
    canvas = Canvas((2 * radius_m, height_m), (0.3, 0.3), px_per_m, int(rng.integers(2**31)))
    canvas.limb((0.0, 0.0), (0.0, height_m - radius_m), 0.12, Paint(-2.4, texture=0.2))
    canvas.ellipse((0.0, height_m - radius_m), (radius_m, radius_m), Paint(-1.9, texture=0.35))
    leaves = smooth_noise(canvas.opacity.shape, 0.25 * px_per_m, canvas.rng)
    above = np.arange(len(leaves)) < canvas.anchor_px[1] - (height_m - 2 * radius_m) * px_per_m
    gaps: Float32[np.ndarray, "H W"] = np.where(above[:, None], np.clip(0.9 + leaves, 0, 1), 1)
    canvas.colour *= gaps
    canvas.opacity *= gaps
    canvas.expose(light)
    return make_sprite([canvas], cycle_m=1.0)


def _draw_lamp(px_per_m: float, seed: int) -> Sprite:
    """A lamp on a post, which flickers with the mains frequency."""
    phases = []
    for angle in np.arange(4) * np.pi / 2:
        canvas = Canvas((2.0, 6.0), (0.4, 0.4), px_per_m, seed)
        canvas.limb((0.0, 0.0), (0.0, 5.6), 0.07, Paint(-2.9))
        canvas.ellipse((0.0, 5.6), (0.35, 0.14), Paint(0.4 + 0.8 * np.sin(angle)))
        canvas.glow((0.0, 5.5), (0.9, 0.7), 1.7 + 1.5 * float(np.sin(angle)))
        phases.append(canvas)
    return make_sprite(phases, cycle_m=1.0)
