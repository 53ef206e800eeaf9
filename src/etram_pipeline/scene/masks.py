"""Visible pixels of road users."""

import numpy as np
from jaxtyping import Bool, Float32

from etram_pipeline.scene.placement import Placed

SOLID = 0.6
"""Opacity above which a pixel belongs to a road user; its shadow is about half opaque."""


def frame_index(placed: Placed) -> int:
    """Frame of the animation nearest to the phase of a sprite at its first time."""
    return int(placed.phase[0] + 0.5) % len(placed.sprite.frames)


def cover_visible(placed: Placed, covered: Bool[np.ndarray, "H W"]) -> Bool[np.ndarray, "H W"]:
    """The pixels of a road user that nothing nearer covers; adds all its pixels to `covered`.

    The sprite is interpolated between its pixels as `sensor.expose` draws it.

    Args:
        placed: Its sprite, of which the first time counts.
        covered: Pixels of nearer road users; changed in place.
    """
    opacity = placed.sprite.frames[frame_index(placed), 1]
    scale = placed.scale[0]
    rows, above, down = _samples(placed.top[0], scale, opacity.shape[0], covered.shape[0])
    columns, before, right = _samples(placed.left[0], scale, opacity.shape[1], covered.shape[1])
    upper, lower = opacity[above], opacity[above + 1]
    blended = upper + down[:, None] * (lower - upper)
    left_of, right_of = blended[:, before], blended[:, before + 1]
    solid = left_of + right * (right_of - left_of) > SOLID
    visible = np.zeros_like(covered)
    visible[rows, columns] = solid & ~covered[rows, columns]
    covered[rows, columns] |= solid
    return visible


def _samples(
    start: np.float32, scale: np.float32, count: int, limit: int
) -> tuple[slice, np.ndarray, Float32[np.ndarray, " S"]]:
    """Pixels of the sensor along one axis, the pixel of the sprite before each, and the rest.

    Args:
        start: Where the sprite begins, in px of the sensor.
        scale: Size of a px of the sprite, in px of the sensor.
        count: Pixels of the sprite.
        limit: Pixels of the sensor.
    """
    first = min(max(int(np.ceil(start + 0.5 * scale - 0.5)), 0), limit)
    stop = min(max(int(np.ceil(start + (count - 0.5) * scale - 0.5)), first), limit)
    place = (np.arange(first, stop, dtype=np.float32) + np.float32(0.5) - start) / scale
    place = (place - np.float32(0.5)).clip(0, np.float32(count - 1.001))
    before = place.astype(np.int64)
    return slice(first, stop), before, place - before.astype(np.float32)
