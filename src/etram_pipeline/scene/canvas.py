"""A canvas in metres, on which road users are drawn by signed distance functions."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Float32

from etram_pipeline.scene.light import Light

Point = tuple[float, float]
Image = Float32[np.ndarray, "H W"]

GROUND_M = 0.35
"""Margin above and below a road user, for its shadow and light, in metres."""


class Paint(NamedTuple):
    """Filling of a shape.

    Attributes:
        level: Natural logarithm of brightness; 0 is white cloth in daylight, -3 a black tyre.
        texture: Amplitude of random mottling.
        opacity: 1 is opaque, 0 is transparent.
    """

    level: float
    texture: float = 0.0
    opacity: float = 1.0


class Canvas:
    """Picture of one road user; x points right and y up from the ground, in metres.

    Args:
        size_m: Length and height of the road user.
        margins_m: Margins behind and in front of it.
        px_per_m: Scale, in px per metre.
        seed: Seed of its random textures.

    Attributes:
        colour: Brightness times opacity.
        opacity: Share of each px that the road user covers.
        light: Brightness that its lamps add to the surroundings.
    """

    def __init__(self, size_m: Point, margins_m: Point, px_per_m: float, seed: int) -> None:
        length_m, height_m = size_m
        self.px_per_m = px_per_m
        self.rng = np.random.default_rng(seed)
        width = int(np.ceil((length_m + sum(margins_m)) * px_per_m)) + 4
        height = int(np.ceil((height_m + 2 * GROUND_M) * px_per_m)) + 4
        self.anchor_px = (
            2 + (margins_m[0] + length_m / 2) * px_per_m,
            height - 2 - GROUND_M * px_per_m,
        )
        self._x = ((np.arange(width) + 0.5 - self.anchor_px[0]) / px_per_m).astype(np.float32)
        self._y = ((self.anchor_px[1] - np.arange(height) - 0.5) / px_per_m).astype(np.float32)
        self.colour: Image = np.zeros((height, width), np.float32)
        self.opacity: Image = np.zeros((height, width), np.float32)
        self.light: Image = np.zeros((height, width), np.float32)

    def box(self, centre: Point, half: Point, paint: Paint, corner_m: float = 0.05) -> None:
        """Fill a rectangle with rounded corners; `half` is half of its width and height.

        Args:
            centre: Its centre, in metres.
            half: Half of its width and height, in metres.
            paint: Filling.
            corner_m: Radius of the corners, in metres.
        """
        corner = min(corner_m, *half)
        rows, columns = self._window(centre, half)
        dx = np.abs(self._x[None, columns] - centre[0]) - (half[0] - corner)
        dy = np.abs(self._y[rows, None] - centre[1]) - (half[1] - corner)
        outside = np.hypot(np.maximum(dx, 0), np.maximum(dy, 0))
        self._fill(rows, columns, outside + np.minimum(np.maximum(dx, dy), 0) - corner, paint)

    def ellipse(self, centre: Point, radii: Point, paint: Paint) -> None:
        """Fill an ellipse.

        Args:
            centre: Its centre, in metres.
            radii: Its radii along x and y, in metres.
            paint: Filling.
        """
        rows, columns = self._window(centre, radii)
        dx = (self._x[None, columns] - centre[0]) / radii[0]
        dy = (self._y[rows, None] - centre[1]) / radii[1]
        self._fill(rows, columns, (np.hypot(dx, dy) - 1) * min(radii), paint)

    def ring(self, centre: Point, radius: float, thickness: float, paint: Paint) -> None:
        """Fill a ring that extends `thickness` to either side of a circle.

        Args:
            centre: Centre of the circle, in metres.
            radius: Radius of the circle, in metres.
            thickness: Half of the thickness of the ring, in metres.
            paint: Filling.
        """
        reach = radius + thickness
        rows, columns = self._window(centre, (reach, reach))
        distance = np.hypot(self._x[None, columns] - centre[0], self._y[rows, None] - centre[1])
        self._fill(rows, columns, np.abs(distance - radius) - thickness, paint)

    def limb(self, start: Point, end: Point, radius: float, paint: Paint) -> None:
        """Fill everything within `radius` of a line segment, such as an arm or a tube.

        Args:
            start: Start of the segment, in metres.
            end: End of the segment, in metres.
            radius: Half of the thickness, in metres.
            paint: Filling.
        """
        centre = ((start[0] + end[0]) / 2, (start[1] + end[1]) / 2)
        half = (abs(end[0] - start[0]) / 2 + radius, abs(end[1] - start[1]) / 2 + radius)
        rows, columns = self._window(centre, half)
        dx, dy = self._x[None, columns] - start[0], self._y[rows, None] - start[1]
        along_x, along_y = end[0] - start[0], end[1] - start[1]
        length2 = along_x**2 + along_y**2 + 1e-9
        t = np.clip((dx * along_x + dy * along_y) / length2, 0, 1)
        self._fill(rows, columns, np.hypot(dx - along_x * t, dy - along_y * t) - radius, paint)

    def polygon(self, corners: Sequence[Point], paint: Paint) -> None:
        """Fill a convex polygon with corners in clockwise order."""
        points = np.asarray(corners, np.float64)
        low, high = points.min(axis=0), points.max(axis=0)
        centre, half = (low + high) / 2, (high - low) / 2
        rows, columns = self._window((centre[0], centre[1]), (half[0], half[1]))
        distance = np.full((rows.stop - rows.start, columns.stop - columns.start), -np.inf)
        for start, end in zip(points, np.roll(points, -1, axis=0), strict=True):
            edge = end - start
            normal = np.array([-edge[1], edge[0]]) / (np.hypot(*edge) + 1e-9)
            side = (self._x[None, columns] - start[0]) * normal[0]
            side = side + (self._y[rows, None] - start[1]) * normal[1]
            distance = np.maximum(distance, side)
        self._fill(rows, columns, distance, paint)

    def glow(self, centre: Point, radii: Point, strength: float) -> None:
        """Add light that fades outwards from the centre.

        Args:
            centre: The centre, in metres.
            radii: Distances along x and y at which the light has fallen to 1/e, in metres.
            strength: Light at the centre.
        """
        dx = (self._x[None] - centre[0]) / radii[0]
        dy = (self._y[:, None] - centre[1]) / radii[1]
        light = strength * np.exp(-(dx**2) - dy**2)
        self.light += np.where(light > 0.02 * abs(strength), light, 0).astype(np.float32)

    def expose(self, light: Light) -> None:
        """Show everything drawn so far under `light` instead of daylight."""
        level = self.colour / np.maximum(self.opacity, 1e-6)
        self.colour = (light.expose(level) * self.opacity).astype(np.float32)

    def shade(self, half_length_m: float, half_height_m: float = 0.16) -> None:
        """Draw the shadow on the ground, which is too faint to count as part of the road user."""
        self.ellipse((0.0, 0.0), (half_length_m, half_height_m), Paint(-2.6, opacity=0.45))

    def _window(self, centre: Point, half: Point) -> tuple[slice, slice]:
        margin = 1.5 / self.px_per_m
        columns = np.searchsorted(
            self._x, [centre[0] - half[0] - margin, centre[0] + half[0] + margin]
        )
        rows = np.searchsorted(
            -self._y, [-centre[1] - half[1] - margin, -centre[1] + half[1] + margin]
        )
        return slice(int(rows[0]), int(rows[1])), slice(int(columns[0]), int(columns[1]))

    def _fill(self, rows: slice, columns: slice, distance_m: np.ndarray, paint: Paint) -> None:
        cover = np.clip(0.5 - distance_m * (self.px_per_m / 1.4), 0, 1) * paint.opacity
        level: float | np.ndarray = paint.level
        if paint.texture:
            cell_px = max(2.0, 0.18 * self.px_per_m)
            level = paint.level + paint.texture * smooth_noise(cover.shape, cell_px, self.rng)
        window = (rows, columns)
        self.colour[window] = self.colour[window] * (1 - cover) + cover * level
        self.opacity[window] = self.opacity[window] * (1 - cover) + cover


def smooth_noise(
    shape: tuple[int, ...], cell_px: float, rng: np.random.Generator
) -> Float32[np.ndarray, "H W"]:
    """Random mottling of about unit amplitude, with spots of `cell_px` px.

    Args:
        shape: Height and width of the result, in px.
        cell_px: Size of the spots, in px.
        rng: Random number generator.
    """
    height, width = shape
    size = (int(height / cell_px) + 3, int(width / cell_px) + 3)
    grid = rng.standard_normal(size).astype(np.float32)
    y, x = np.arange(height) / cell_px, np.arange(width) / cell_px
    row, column = y.astype(int), x.astype(int)
    down = (y - row)[:, None].astype(np.float32)
    right = (x - column)[None].astype(np.float32)
    rows = grid[row] * (1 - down) + grid[row + 1] * down
    noise: Image = rows[:, column] * (1 - right) + rows[:, column + 1] * right
    return noise
