"""Drawings of cars, buses, trucks and trams, seen from the side and facing right."""

import numpy as np

from etram_pipeline.scene.canvas import Canvas, Paint, Point

GLASS = Paint(-1.9, texture=0.12)
RUBBER = Paint(-3.0)
METAL = Paint(-1.0)
DARK = Paint(-2.5)
LAMP = Paint(0.35)

BODY_LEVELS = (-2.5, -2.0, -0.9, -0.5, -0.3, -0.1)


def draw_car(canvas: Canvas, size_m: Point, phase: float) -> None:
    """A hatchback, saloon, estate or van."""
    length, height = size_m
    half = length / 2
    paint = Paint(canvas.rng.choice(BODY_LEVELS), texture=0.06)
    rear, tail = canvas.rng.choice([(-0.98, -0.86), (-0.70, -0.45), (-0.96, -0.92)])
    front = canvas.rng.uniform(0.14, 0.24)
    belt = 0.58 * height
    canvas.shade(half)
    canvas.box((0.0, 0.2 * height + 0.3), (half, 0.2 * height), paint, 0.2)
    roof = [(rear * half, belt), (tail * half, height), (front * half, height), (0.56 * half, belt)]
    canvas.polygon(roof, paint)
    pillar = -0.12 * half
    top = height - 0.1
    inset = 0.06 * half
    rear_window = [
        (rear * half + inset, belt + 0.05),
        (tail * half + inset, top),
        (pillar - 0.04, top),
        (pillar - 0.04, belt + 0.05),
    ]
    front_window = [
        (pillar + 0.04, belt + 0.05),
        (pillar + 0.04, top),
        (front * half - 0.02, top),
        (0.50 * half, belt + 0.05),
    ]
    canvas.polygon(rear_window, GLASS)
    canvas.polygon(front_window, GLASS)
    seam = Paint(paint.level - 0.7)
    for x in (pillar, 0.4 * half):
        canvas.limb((x, 0.4), (x, belt), 0.012, seam)
    canvas.box((0.0, 0.33), (0.9 * half, 0.06), DARK)
    for x in (-0.62 * half, 0.62 * half):
        _draw_wheel(canvas, x, 0.33, phase)
    _draw_lamps(canvas, half, 0.68)


def draw_bus(canvas: Canvas, size_m: Point, phase: float) -> None:
    """A tall box with a row of windows, two doors and a lit sign."""
    length, height = size_m
    half = length / 2
    level = canvas.rng.choice(BODY_LEVELS[2:])
    body = Paint(level, texture=0.05)
    canvas.shade(half)
    canvas.box((0.0, (height + 0.35) / 2), (half, (height - 0.35) / 2), body, 0.18)
    stripe = -0.1 if level == BODY_LEVELS[2] else level - 1.1
    canvas.box((0.0, 0.95), (0.98 * half, 0.16), Paint(stripe))
    canvas.polygon(
        [
            (-half, 0.4),
            (-0.5 * half, height - 0.1),
            (-0.2 * half, height - 0.1),
            (-0.55 * half, 0.4),
        ],
        Paint(stripe),
    )
    num_windows = round(length / 1.55)
    for index in range(num_windows):
        x = -half + (index + 0.5) * length / num_windows
        canvas.box((x, 0.69 * height), (0.42 * length / num_windows, 0.16 * height), GLASS, 0.06)
    for x in (-0.3 * half, 0.72 * half):
        canvas.box((x, 1.45), (0.58, 1.1), Paint(-1.7, texture=0.1))
        canvas.limb((x, 0.45), (x, 2.5), 0.03, METAL)
    canvas.box((0.3 * half, height - 0.22), (0.3 * half, 0.12), LAMP)
    canvas.box((-0.2 * half, height + 0.02), (0.3 * half, 0.1), Paint(level - 0.3))
    for x in (-0.58 * half, 0.5 * half):
        _draw_wheel(canvas, x, 0.5, phase)
    _draw_lamps(canvas, half, 0.75)


def draw_truck(canvas: Canvas, size_m: Point, phase: float) -> None:
    """A low cabin, a gap, and a high box, tank or tipper behind it."""
    length, height = size_m
    half = length / 2
    cabin_front, cabin_back = half, half - 1.9
    load_front = cabin_back - 0.35
    load = (-half + load_front) / 2, (load_front + half) / 2
    canvas.shade(half)
    canvas.box((0.0, 0.72), (0.96 * half, 0.12), DARK)
    _draw_load(canvas, load, height)
    cabin = Paint(canvas.rng.choice(BODY_LEVELS), texture=0.05)
    cabin_height = 0.76 * height
    canvas.polygon(
        [
            (cabin_back, 0.5),
            (cabin_back, cabin_height),
            (cabin_front - 0.45, cabin_height),
            (cabin_front, 0.5 * height),
            (cabin_front, 0.5),
        ],
        cabin,
    )
    canvas.polygon(
        [
            (cabin_back + 0.75, 0.48 * height),
            (cabin_back + 0.75, cabin_height - 0.2),
            (cabin_front - 0.5, cabin_height - 0.2),
            (cabin_front - 0.15, 0.48 * height),
        ],
        GLASS,
    )
    canvas.limb((cabin_back + 0.65, 0.6), (cabin_back + 0.65, 0.7 * height), 0.02, DARK)
    for x in (-half + 0.9, -half + 2.0, cabin_front - 0.9):
        _draw_wheel(canvas, x, 0.5, phase)
    _draw_lamps(canvas, half, 0.8)


def draw_tram(canvas: Canvas, size_m: Point, phase: float) -> None:
    """Long articulated cars on bogies, rounded at both ends, with a pantograph."""
    length, height = size_m
    half, roof = length / 2, height - 0.7
    level = canvas.rng.choice([-0.5, -0.3, -0.1])
    canvas.shade(half)
    canvas.box((0.0, (roof + 0.3) / 2), (half, (roof - 0.3) / 2), Paint(level, texture=0.04), 0.7)
    canvas.box((0.0, 0.75), (0.97 * half, 0.3), Paint(-1.9, texture=0.05))
    canvas.box((0.0, 0.71 * roof), (0.95 * half, 0.17 * roof), Paint(-1.8, texture=0.15), 0.1)
    num_windows = round(length / 1.3)
    for index in range(num_windows):
        x = -half + (index + 0.5) * length / num_windows
        canvas.limb((x, 0.55 * roof), (x, 0.88 * roof), 0.05, Paint(level))
        if (index + 2) % 4 == 0:
            canvas.box((x, 0.5 * roof), (0.6, 0.42 * roof), Paint(-1.2, texture=0.1))
            canvas.limb((x, 0.4), (x, 0.9 * roof), 0.03, DARK)
    for x in (-length / 6, length / 6):
        canvas.box((x, (roof + 0.3) / 2), (0.22, (roof - 0.3) / 2), Paint(-2.4), 0.02)
    for x in (-0.35 * half, 0.35 * half):
        canvas.box((x, roof + 0.08), (0.16 * half, 0.12), Paint(-1.4))
    _draw_pantograph(canvas, roof, height)
    for x in (-0.72 * half, 0.0, 0.72 * half):
        canvas.box((x, 0.35), (1.1, 0.2), Paint(-2.7), 0.05)
        for offset in (-0.65, 0.65):
            _draw_wheel(canvas, x + offset, 0.3, phase)
    _draw_lamps(canvas, half, 0.75)


def _draw_load(canvas: Canvas, span: Point, height: float) -> None:
    """Load between `span[0] - span[1]` and `span[0] + span[1]`."""
    centre, half = span
    level = canvas.rng.choice(BODY_LEVELS[2:])
    shape = canvas.rng.choice(["box", "box", "tank", "tipper"])
    if shape == "tank":
        canvas.box((centre, 0.62 * height), (half, 0.3 * height), Paint(level, texture=0.1), 0.8)
        for x in np.linspace(centre - 0.6 * half, centre + 0.6 * half, 4):
            canvas.limb((x, 0.34 * height), (x, 0.9 * height), 0.03, Paint(level - 0.8))
        return
    top = height if shape == "box" else 0.72 * height
    middle, half_height = (top + 0.85) / 2, (top - 0.85) / 2
    canvas.box((centre, middle), (half, half_height), Paint(level, texture=0.1))
    for x in np.linspace(centre - 0.97 * half, centre + 0.97 * half, 6):
        canvas.limb((x, 0.9), (x, top - 0.05), 0.025, Paint(level - 0.8))
    logo = Paint(canvas.rng.uniform(-2.2, 0.2), texture=0.35)
    canvas.box((centre, middle), (0.5 * half, 0.4 * half_height), logo)


def _draw_pantograph(canvas: Canvas, roof: float, height: float) -> None:
    elbow = (0.5, roof + 0.4)
    canvas.limb((-0.3, roof + 0.1), elbow, 0.04, DARK)
    canvas.limb(elbow, (-0.2, height - 0.04), 0.04, DARK)
    canvas.limb((-0.7, height - 0.04), (0.3, height - 0.04), 0.04, DARK)


def _draw_wheel(canvas: Canvas, x: float, radius: float, phase: float) -> None:
    canvas.ellipse((x, radius), (radius, radius), RUBBER)
    canvas.ellipse((x, radius), (0.62 * radius, 0.62 * radius), Paint(-1.3))
    for spoke in range(5):
        angle = (2 * np.pi * spoke - phase) / 5
        rim = (x + 0.55 * radius * np.cos(angle), radius + 0.55 * radius * np.sin(angle))
        canvas.limb((x, radius), rim, 0.08 * radius, Paint(-2.5))


def _draw_lamps(canvas: Canvas, half_length: float, height: float) -> None:
    canvas.ellipse((0.97 * half_length, height), (0.12, 0.1), LAMP)
    canvas.ellipse((-0.98 * half_length, height), (0.07, 0.12), Paint(-0.9))
