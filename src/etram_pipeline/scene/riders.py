"""Drawings of pedestrians, wheelchairs, bicycles and motorbikes, from the side, facing right."""

from typing import NamedTuple

import numpy as np

from etram_pipeline.scene.canvas import Canvas, Paint, Point

TYRE = Paint(-2.9)
STEEL = Paint(-1.6)
SHOE = Paint(-2.6)
HAIR = Paint(-2.4)


class Clothes(NamedTuple):
    """Paint of the parts of a person."""

    skin: Paint
    top: Paint
    legs: Paint
    sleeve: Paint


def choose_clothes(rng: np.random.Generator) -> Clothes:
    """Random clothes, light and dark."""
    top = rng.uniform(-2.6, 0.1)
    return Clothes(
        skin=Paint(rng.uniform(-1.3, -0.4)),
        top=Paint(top, texture=0.2),
        legs=Paint(rng.uniform(-2.8, -0.9), texture=0.1),
        sleeve=Paint(top - 0.25),
    )


def draw_pedestrian(canvas: Canvas, size_m: Point, phase: float) -> None:
    """A walking person, some with a bag; one animation cycle is two steps."""
    unit = size_m[1] / 1.75
    clothes = choose_clothes(canvas.rng)
    has_bag = canvas.rng.integers(3) == 0
    hip = (0.0, 0.92 * unit)
    canvas.shade(0.3 * unit, 0.06)
    _draw_arm(canvas, phase + np.pi, unit, clothes)
    for side in (np.pi, 0.0):
        _draw_leg(canvas, hip, phase + side, clothes)
    canvas.box((0.0, 1.17 * unit), (0.17 * unit, 0.31 * unit), clothes.top, 0.1 * unit)
    if has_bag:
        canvas.box((-0.24 * unit, 1.2 * unit), (0.11, 0.2), Paint(-2.2, texture=0.2), 0.05)
    _draw_head(canvas, (0.03 * unit, 1.62 * unit), unit, clothes.skin)
    _draw_arm(canvas, phase, unit, clothes)


def draw_wheelchair(canvas: Canvas, size_m: Point, phase: float) -> None:
    """A seated person pushing the rim of a large wheel."""
    unit = size_m[1] / 1.35
    clothes = choose_clothes(canvas.rng)
    hub = (-0.12 * unit, 0.33 * unit)
    canvas.shade(0.5 * unit, 0.07)
    canvas.limb((-0.38 * unit, 0.5 * unit), (-0.44 * unit, 1.05 * unit), 0.035, STEEL)
    canvas.limb((-0.44 * unit, 1.03 * unit), (-0.56 * unit, 1.03 * unit), 0.03, STEEL)
    canvas.limb((-0.36 * unit, 0.52 * unit), (0.3 * unit, 0.5 * unit), 0.05, Paint(-2.3))
    canvas.limb((0.3 * unit, 0.5 * unit), (0.45 * unit, 0.12 * unit), 0.03, STEEL)
    knee, foot = (0.36 * unit, 0.6 * unit), (0.46 * unit, 0.16 * unit)
    canvas.limb((-0.14 * unit, 0.6 * unit), knee, 0.095 * unit, clothes.legs)
    canvas.limb(knee, foot, 0.07 * unit, clothes.legs)
    canvas.limb(foot, (0.6 * unit, 0.13 * unit), 0.05 * unit, SHOE)
    canvas.box((-0.2 * unit, 0.86 * unit), (0.16 * unit, 0.29 * unit), clothes.top, 0.1)
    _draw_head(canvas, (-0.15 * unit, 1.22 * unit), unit, clothes.skin)
    canvas.ring(hub, 0.31 * unit, 0.03, TYRE)
    canvas.ring(hub, 0.25 * unit, 0.012, STEEL)
    for spoke in range(4):
        _draw_spoke(canvas, hub, 0.3 * unit, np.pi * spoke / 4 - phase / 4)
    canvas.ring((0.42 * unit, 0.1 * unit), 0.085 * unit, 0.03, TYRE)
    reach = 0.75 + 0.45 * np.sin(phase)
    hand = (hub[0] + 0.27 * unit * np.cos(reach), hub[1] + 0.27 * unit * np.sin(reach))
    elbow = (-0.3 * unit, 0.72 * unit)
    canvas.limb((-0.18 * unit, 1.06 * unit), elbow, 0.055 * unit, clothes.sleeve)
    canvas.limb(elbow, hand, 0.045 * unit, clothes.sleeve)


def draw_bicycle(canvas: Canvas, size_m: Point, phase: float) -> None:
    """Two thin spoked wheels, an open frame and a pedalling rider."""
    unit = size_m[1] / 1.75
    clothes = choose_clothes(canvas.rng)
    frame = Paint(canvas.rng.choice([-2.4, -1.2, -0.3, 0.1]))
    radius = 0.35 * unit
    rear, front = (-0.55 * unit, radius), (0.55 * unit, radius)
    saddle, crank = (-0.2 * unit, 0.9 * unit), (-0.05 * unit, 0.32 * unit)
    head, bar = (0.38 * unit, 0.86 * unit), (0.4 * unit, 1.05 * unit)
    canvas.shade(0.75 * unit, 0.06)
    for hub in (rear, front):
        canvas.ring(hub, radius, 0.03, TYRE)
        for spoke in range(4):
            _draw_spoke(canvas, hub, radius, np.pi * spoke / 4 - phase / 2)
    _draw_cyclist_leg(canvas, saddle, crank, phase + np.pi, clothes)
    tubes = (rear, saddle), (saddle, head), (head, crank), (crank, saddle), (rear, crank)
    for start, end in (*tubes, (front, head), (head, bar)):
        canvas.limb(start, end, 0.03, frame)
    _draw_cyclist_leg(canvas, saddle, crank, phase, clothes)
    shoulder = (0.1 * unit, 1.4 * unit)
    canvas.limb((saddle[0], saddle[1] + 0.08), shoulder, 0.15 * unit, clothes.top)
    canvas.limb(shoulder, bar, 0.05 * unit, clothes.sleeve)
    _draw_head(canvas, (0.2 * unit, 1.62 * unit), unit, clothes.skin)


def draw_motorbike(canvas: Canvas, size_m: Point, phase: float) -> None:
    """Two fat wheels, a solid body with tank and screen, and a helmeted, leaning rider."""
    unit = size_m[1] / 1.55
    clothes = choose_clothes(canvas.rng)
    body = Paint(canvas.rng.choice([-2.5, -1.0, -0.4, 0.1]), texture=0.15)
    radius = 0.33 * unit
    canvas.shade(1.0 * unit, 0.08)
    canvas.limb((0.72 * unit, radius), (0.48 * unit, 1.0 * unit), 0.05, STEEL)
    for x in (-0.72 * unit, 0.72 * unit):
        canvas.ring((x, radius), 0.8 * radius, 0.22 * radius, TYRE)
        canvas.ellipse((x, radius), (0.3 * radius, 0.3 * radius), STEEL)
        for spoke in range(3):
            _draw_spoke(canvas, (x, radius), 0.6 * radius, np.pi * spoke / 3 - phase / 3)
    canvas.box((-0.05 * unit, 0.5 * unit), (0.38 * unit, 0.24 * unit), Paint(-2.4, texture=0.3))
    canvas.limb((-0.3 * unit, 0.3 * unit), (-0.95 * unit, 0.4 * unit), 0.05, Paint(-0.6))
    tail = [(-0.98, 0.86), (-0.9, 0.98), (-0.2, 0.9), (-0.2, 0.7)]
    tank = [(-0.25, 0.68), (-0.15, 0.92), (0.15, 1.06), (0.5, 0.96), (0.62, 0.62), (0.3, 0.5)]
    screen = [(0.5, 0.9), (0.42, 1.24), (0.5, 1.26), (0.72, 0.92)]
    for corners, paint in ((tail, body), (tank, body), (screen, Paint(-1.2))):
        canvas.polygon([(x * unit, y * unit) for x, y in corners], paint)
    hip, knee, foot = (-0.32 * unit, 0.98 * unit), (0.12 * unit, 0.75 * unit), (-0.2, 0.36)
    canvas.limb(hip, knee, 0.1 * unit, clothes.legs)
    canvas.limb(knee, foot, 0.08 * unit, clothes.legs)
    shoulder, helmet = (0.02 * unit, 1.3 * unit), (0.14 * unit, 1.5 * unit)
    canvas.limb(hip, shoulder, 0.17 * unit, clothes.top)
    canvas.limb(shoulder, (0.48 * unit, 1.02 * unit), 0.06 * unit, clothes.sleeve)
    canvas.ellipse(helmet, (0.16 * unit, 0.15 * unit), Paint(canvas.rng.choice([-2.6, -0.2])))
    canvas.ellipse((helmet[0] + 0.08 * unit, helmet[1]), (0.07 * unit, 0.05 * unit), TYRE)
    canvas.ellipse((0.68 * unit, 0.88 * unit), (0.08 * unit, 0.09 * unit), Paint(0.3))


def _draw_head(canvas: Canvas, centre: Point, unit: float, skin: Paint) -> None:
    canvas.ellipse(centre, (0.105 * unit, 0.135 * unit), skin)
    hair = (centre[0] - 0.03 * unit, centre[1] + 0.06 * unit)
    canvas.ellipse(hair, (0.11 * unit, 0.09 * unit), HAIR)


def _draw_leg(canvas: Canvas, hip: Point, phase: float, clothes: Clothes) -> None:
    """A walking leg: the thigh swings, and the knee bends while the foot is off the ground."""
    reach = hip[1] / 2
    thigh = 0.45 * np.sin(phase)
    shin = thigh - 0.9 * max(0.0, np.cos(phase))
    knee = (hip[0] + reach * np.sin(thigh), hip[1] - reach * np.cos(thigh))
    ankle = (knee[0] + 0.9 * reach * np.sin(shin), knee[1] - 0.9 * reach * np.cos(shin))
    canvas.limb(hip, knee, 0.18 * reach, clothes.legs)
    canvas.limb(knee, ankle, 0.14 * reach, clothes.legs)
    canvas.limb(ankle, (ankle[0] + 0.14, ankle[1] - 0.01), 0.05, SHOE)


def _draw_arm(canvas: Canvas, phase: float, unit: float, clothes: Clothes) -> None:
    swing = -0.55 * np.sin(phase)
    shoulder = (0.0, 1.4 * unit)
    elbow = (0.28 * unit * np.sin(swing), (1.4 - 0.28 * np.cos(swing)) * unit)
    bent = swing + 0.5
    hand = (elbow[0] + 0.26 * unit * np.sin(bent), elbow[1] - 0.26 * unit * np.cos(bent))
    canvas.limb(shoulder, elbow, 0.06 * unit, clothes.sleeve)
    canvas.limb(elbow, hand, 0.05 * unit, clothes.sleeve)


def _draw_cyclist_leg(
    canvas: Canvas, saddle: Point, crank: Point, phase: float, clothes: Clothes
) -> None:
    foot = (crank[0] + 0.17 * np.cos(-phase), crank[1] + 0.17 * np.sin(-phase))
    knee = ((saddle[0] + foot[0]) / 2 + 0.24, (saddle[1] + foot[1]) / 2 + 0.1)
    canvas.limb(saddle, knee, 0.085, clothes.legs)
    canvas.limb(knee, foot, 0.065, clothes.legs)
    canvas.limb(foot, (foot[0] + 0.13, foot[1]), 0.045, SHOE)


def _draw_spoke(canvas: Canvas, hub: Point, radius: float, angle: float) -> None:
    dx, dy = radius * np.cos(angle), radius * np.sin(angle)
    canvas.limb((hub[0] - dx, hub[1] - dy), (hub[0] + dx, hub[1] + dy), 0.012, STEEL)
