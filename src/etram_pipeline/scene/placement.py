"""Position of the sprites of road users in each picture."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32, Float64, Int64

from etram_pipeline.scene.camera import Camera
from etram_pipeline.scene.slab import Poses, Sprites
from etram_pipeline.scene.sprites import Sprite
from etram_pipeline.scene.traffic import RoadUser

_PX = Float32[np.ndarray, " T"]


@dataclass(frozen=True)
class Placed:
    """A sprite at a series of times.

    Attributes:
        sprite: The sprite.
        left: Column at which it begins, in px.
        top: Row at which it begins, in px.
        scale: Size of a px of the sprite, in px.
        cycle: Number of animation cycles passed.
    """

    sprite: Sprite
    left: _PX
    top: _PX
    scale: _PX
    cycle: Float64[np.ndarray, " T"]

    @property
    def phase(self) -> Float64[np.ndarray, " T"]:
        """Position in the animation, in frames."""
        num_phases = len(self.sprite.frames)
        return self.cycle % 1.0 * num_phases % num_phases

    def touches(self, height: int, width: int) -> bool:
        """Whether any part of it is on the sensor at any time."""
        rows, columns = self.sprite.frames.shape[2:]
        inside = (self.left < width) & (self.left + columns * self.scale > 0)
        return bool((inside & (self.top < height) & (self.top + rows * self.scale > 0)).any())


def place(
    user: RoadUser, sprite: Sprite, camera: Camera, times_s: Float64[np.ndarray, " T"]
) -> Placed:
    """The sprite of a road user at the given times, in seconds.

    Args:
        user: The road user.
        sprite: Its sprite.
        camera: The camera.
        times_s: Times since the start of the recording, in seconds.
    """
    along_m = user.along_m(times_s)
    seen = camera.project(along_m, user.across_m)
    scale = seen.px_per_m / sprite.px_per_m
    travelled_m = user.lane.direction * along_m
    # Steps and uneven ground make road users bounce.
    bounce_m = 0.015 / max(user.size_m[0], 1.0) * np.sin(2 * np.pi * travelled_m / 0.75 + user.seed)
    return Placed(
        sprite=sprite,
        left=(seen.x - sprite.anchor_px[0] * scale).astype(np.float32),
        top=(seen.y - bounce_m * seen.px_per_m - sprite.anchor_px[1] * scale).astype(np.float32),
        scale=scale.astype(np.float32),
        cycle=travelled_m / sprite.cycle_m,
    )


def join_sprites(*sprites: Sprite) -> Sprites:
    """Sprites as flat arrays, one after another."""
    rows = np.array([sprite.frames.shape[2] for sprite in sprites], np.int64)
    sizes = np.array([sprite.frames.size for sprite in sprites], np.int64)
    values = [np.zeros(0, np.float32), *(sprite.frames.ravel() for sprite in sprites)]
    extents = [np.zeros((0, 2), np.int64), *(_widened(sprite.extents) for sprite in sprites)]
    moving = [np.zeros(0, np.bool_), *(_moving_rows(sprite) for sprite in sprites)]
    return Sprites(
        values=np.concatenate(values),
        first=np.cumsum(sizes) - sizes,
        rows=rows,
        columns=np.array([sprite.frames.shape[3] for sprite in sprites], np.int64),
        extents=np.concatenate(extents),
        first_extent=np.cumsum(rows) - rows,
        moving=np.concatenate(moving),
        lit=np.array([sprite.lit for sprite in sprites], np.bool_),
    )


def join_poses(placed: Sequence[Placed], num_moments: int, lag: int) -> Poses:
    """Positions of all sprites as flat arrays; times begin `lag` pictures before the first.

    Args:
        placed: Sprites in the scene, farthest first, all at the same times.
        num_moments: Number of these times, needed if there are no sprites.
        lag: Pictures for which a pixel may still respond to a former one.
    """

    def columns(rows: list[np.ndarray], dtype: type = np.float32) -> np.ndarray:
        table: np.ndarray = np.zeros((num_moments, len(placed)), dtype)
        for k, row in enumerate(rows):
            table[:, k] = row
        return table

    left = columns([each.left for each in placed])
    top = columns([each.top for each in placed])
    scale = columns([each.scale for each in placed])
    heights = np.array([each.sprite.frames.shape[2] for each in placed], np.int64)
    widths = np.array([each.sprite.frames.shape[3] for each in placed], np.int64)
    phase = columns([each.phase for each in placed], np.float64)
    num_phases = np.array([len(each.sprite.frames) for each in placed], np.int64)
    first = phase.astype(np.int64)
    return Poses(
        first_row=np.floor(top).astype(np.int64)[lag:] - 1,
        stop_row=np.ceil(top + heights * scale).astype(np.int64)[lag:] + 1,
        first_column=np.floor(left).astype(np.int64)[lag:] - 1,
        stop_column=np.ceil(left + widths * scale).astype(np.int64)[lag:] + 1,
        left=left[lag:],
        top=top[lag:],
        former_left=left[: len(left) - lag],
        scale=scale[lag:],
        phase=first[lag:],
        next_phase=((first + 1) % np.maximum(num_phases, 1))[lag:],
        blend=(phase - first).astype(np.float32)[lag:],
    )


def _widened(extents: Int64[np.ndarray, "H 2"]) -> Int64[np.ndarray, "H 2"]:
    """Columns that each row or its neighbours use, because sprites move up and down."""
    empty = extents[:, 1] < extents[:, 0]
    first = np.where(empty, 1 << 20, extents[:, 0])
    last = np.where(empty, -1, extents[:, 1])
    padded_first = np.pad(first, 2, constant_values=1 << 20)
    padded_last = np.pad(last, 2, constant_values=-1)
    window = 5
    neighbours = np.lib.stride_tricks.sliding_window_view
    return np.stack(
        [
            neighbours(padded_first, window).min(axis=1),
            neighbours(padded_last, window).max(axis=1),
        ],
        axis=1,
    )


def _moving_rows(sprite: Sprite) -> Bool[np.ndarray, " H"]:
    """Rows that differ between frames of the animation, or whose next row does."""
    moving = (np.ptp(sprite.frames, axis=0) > 0).any(axis=(0, 2))
    with_next: Bool[np.ndarray, " H"] = moving | np.append(moving[1:], False)
    return with_next
