"""Animated sprites of road users, which are placed in the scene."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32, Int64

from etram_pipeline.scene.canvas import Canvas, Paint, Point
from etram_pipeline.scene.light import Light
from etram_pipeline.scene.riders import (
    draw_bicycle,
    draw_motorbike,
    draw_pedestrian,
    draw_wheelchair,
)
from etram_pipeline.scene.vehicles import draw_bus, draw_car, draw_tram, draw_truck


class RoadUserKind(NamedTuple):
    """Common properties of the road users of one class.

    Attributes:
        draw: Draws one frame of the animation, given canvas, length and height, and phase angle.
        length_m: Smallest and largest length, in metres.
        height_m: Smallest and largest height, in metres.
        cycle_m: Distance travelled in one animation cycle, in metres.
        num_phases: Frames of one cycle.
        lamp_m: Height of the headlight, in metres; 0 without one.
    """

    draw: Callable[[Canvas, Point, float], None]
    length_m: Point
    height_m: Point
    cycle_m: float
    num_phases: int
    lamp_m: float


KINDS = {
    "pedestrian": RoadUserKind(draw_pedestrian, (0.8, 0.8), (1.6, 1.95), 1.5, 12, 0.0),
    "car": RoadUserKind(draw_car, (3.9, 4.8), (1.42, 1.75), 0.42, 4, 0.68),
    "bicycle": RoadUserKind(draw_bicycle, (1.8, 1.8), (1.7, 1.95), 4.2, 12, 0.0),
    "bus": RoadUserKind(draw_bus, (8.5, 10.5), (3.0, 3.3), 0.63, 4, 0.75),
    "motorbike": RoadUserKind(draw_motorbike, (2.1, 2.1), (1.5, 1.7), 0.7, 4, 0.88),
    "truck": RoadUserKind(draw_truck, (6.5, 8.5), (3.0, 3.6), 0.63, 4, 0.8),
    "tram": RoadUserKind(draw_tram, (16.0, 19.5), (3.9, 4.2), 0.4, 4, 0.75),
    "wheelchair": RoadUserKind(draw_wheelchair, (1.2, 1.2), (1.3, 1.45), 1.3, 12, 0.0),
}
"""Properties of each class of road user."""

_MARGIN_M, _BEAM_M = 0.35, 2.6
_TRACE, _SOLID = 0.01, 0.6
_NUM_LIT_CHANNELS = 3


@dataclass(frozen=True, eq=False)
class Sprite:
    """Pictures of one road user over an animation cycle, with an empty border of one px.

    Attributes:
        frames: Brightness times opacity, opacity and, if it has lamps, added light, per frame of
            the animation.
        extents: First and last column used in each row by any frame; last < first in empty rows.
        boxes: First row, last row, first and last column of the opaque part of each frame; last <
            first if there is none.
        anchor_px: Column and row, within the sprite, of its centre on the ground.
        px_per_m: Scale, in px per metre.
        cycle_m: Distance travelled in one animation cycle, in metres.
    """

    frames: Float32[np.ndarray, "phases C H W"]
    extents: Int64[np.ndarray, "H 2"]
    boxes: Int64[np.ndarray, "phases 4"]
    anchor_px: Point
    px_per_m: float
    cycle_m: float

    @property
    def lit(self) -> bool:
        """Whether it lights up its surroundings."""
        return bool(self.frames.shape[1] == _NUM_LIT_CHANNELS)

    def mirrored(self) -> "Sprite":
        """The same road user facing the opposite direction."""
        last = self.frames.shape[3] - 1
        empty = self.extents[:, 1] < self.extents[:, 0]
        extents = np.where(empty[:, None], self.extents, last - self.extents[:, ::-1])
        rows, columns = self.boxes[:, :2], last - self.boxes[:, :1:-1]
        return Sprite(
            frames=np.ascontiguousarray(self.frames[..., ::-1]),
            extents=extents,
            boxes=np.concatenate([rows, columns], axis=1),
            anchor_px=(last + 1 - self.anchor_px[0], self.anchor_px[1]),
            px_per_m=self.px_per_m,
            cycle_m=self.cycle_m,
        )


def choose_size(class_name: str, rng: np.random.Generator) -> Point:
    """Random length and height of a road user, in metres."""
    kind = KINDS[class_name]
    return rng.uniform(*kind.length_m), rng.uniform(*kind.height_m)


def draw_sprite(class_name: str, size_m: Point, px_per_m: float, seed: int, light: Light) -> Sprite:
    """Draw a road user that faces right.

    Args:
        class_name: One of `KINDS`.
        size_m: Length and height, in metres.
        px_per_m: Scale, in px per metre.
        seed: Seed of its colours and build.
        light: Lighting of the scene.
    """
    kind = KINDS[class_name]
    angles = np.arange(kind.num_phases) * (2 * np.pi / kind.num_phases)
    phases = [_draw_phase(kind, size_m, px_per_m, seed, light, angle) for angle in angles]
    return make_sprite(phases, kind.cycle_m)


def make_sprite(phases: Sequence[Canvas], cycle_m: float) -> Sprite:
    """A sprite from canvases of the same size, one per frame of the animation."""
    lit = any(canvas.light.any() for canvas in phases)
    num_channels = _NUM_LIT_CHANNELS if lit else _NUM_LIT_CHANNELS - 1
    frames = np.stack([_picture(canvas)[:num_channels] for canvas in phases])
    return Sprite(
        frames=frames,
        extents=_extents(frames),
        boxes=np.stack([_opaque_box(frame[1]) for frame in frames]),
        anchor_px=phases[0].anchor_px,
        px_per_m=phases[0].px_per_m,
        cycle_m=cycle_m,
    )


def _draw_phase(
    kind: RoadUserKind, size_m: Point, px_per_m: float, seed: int, light: Light, angle: float
) -> Canvas:
    has_lamps = light.night and kind.lamp_m > 0
    # The same seed in every frame keeps colours and textures while legs and wheels move.
    canvas = Canvas(size_m, (_MARGIN_M, _BEAM_M if has_lamps else _MARGIN_M), px_per_m, seed)
    kind.draw(canvas, size_m, float(angle))
    canvas.expose(light)
    if has_lamps:
        front, back = 0.97 * size_m[0] / 2, -0.98 * size_m[0] / 2
        canvas.ellipse((front, kind.lamp_m), (0.16, 0.13), Paint(1.2))
        canvas.ellipse((back, kind.lamp_m), (0.09, 0.12), Paint(0.0))
        canvas.glow((front + 0.1, kind.lamp_m), (0.5, 0.4), 1.5)
        canvas.glow((front + 1.3, 0.0), (1.2, 0.22), 1.3)
        canvas.glow((back, kind.lamp_m), (0.3, 0.3), 0.7)
    return canvas


def _picture(canvas: Canvas) -> Float32[np.ndarray, "3 H W"]:
    picture = np.stack([canvas.colour, canvas.opacity, canvas.light])
    picture[:, [0, -1], :] = 0
    picture[:, :, [0, -1]] = 0
    return picture


def _extents(frames: Float32[np.ndarray, "phases C H W"]) -> Int64[np.ndarray, "H 2"]:
    used = (np.abs(frames[:, 1:]) > _TRACE).any(axis=(0, 1))
    first = used.argmax(axis=1)
    last = used.shape[1] - 1 - used[:, ::-1].argmax(axis=1)
    return np.stack([first, np.where(used.any(axis=1), last, -1)], axis=1)


def _opaque_box(opacity: Float32[np.ndarray, "H W"]) -> Int64[np.ndarray, " 4"]:
    # The shadow on the ground is about half opaque and not part of the road user.
    solid = opacity > _SOLID
    if not solid.any():
        return np.array([0, -1, 0, -1])
    rows, columns = np.flatnonzero(solid.any(axis=1)), np.flatnonzero(solid.any(axis=0))
    return np.array([rows[0], rows[-1], columns[0], columns[-1]])
