"""A slab: what the sensor sees in some successive pictures, as flat arrays for compiled code."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64


class Sprites(NamedTuple):
    """Sprites of the road users in the scene, farthest first, one after another.

    Attributes:
        values: Brightness times opacity, opacity and light of every phase.
        first: Index in `values` at which each begins.
        rows: Height of each, in px of the sprite.
        columns: Width of each, in px of the sprite.
        extents: First and last column used in each row.
        first_extent: Index in `extents` at which each begins.
        moving: True for rows that differ between phases, or whose next row does.
        lit: True for those that light up their surroundings.
    """

    values: Float32[np.ndarray, " V"]
    first: Int64[np.ndarray, " K"]
    rows: Int64[np.ndarray, " K"]
    columns: Int64[np.ndarray, " K"]
    extents: Int64[np.ndarray, "R 2"]
    first_extent: Int64[np.ndarray, " K"]
    moving: Bool[np.ndarray, " R"]
    lit: Bool[np.ndarray, " K"]


class Poses(NamedTuple):
    """Position of every sprite in every picture, and its position `lag` pictures earlier.

    Attributes:
        first_row: First row of the picture that a sprite reaches.
        stop_row: Row after the last.
        first_column: First column that it reaches.
        stop_column: Column after the last.
        left: Column at which the sprite begins, in px.
        top: Row at which it begins, in px.
        former_left: `left`, `lag` pictures earlier.
        scale: Size of a px of the sprite, in px.
        phase: Frame of the animation.
        next_phase: The following frame.
        blend: Weight of the following frame, from 0 to 1.
    """

    first_row: Int64[np.ndarray, "S K"]
    stop_row: Int64[np.ndarray, "S K"]
    first_column: Int64[np.ndarray, "S K"]
    stop_column: Int64[np.ndarray, "S K"]
    left: Float32[np.ndarray, "S K"]
    top: Float32[np.ndarray, "S K"]
    former_left: Float32[np.ndarray, "S K"]
    scale: Float32[np.ndarray, "S K"]
    phase: Int64[np.ndarray, "S K"]
    next_phase: Int64[np.ndarray, "S K"]
    blend: Float32[np.ndarray, "S K"]


class Pixels(NamedTuple):
    """State of the sensor, which the simulation updates.

    Attributes:
        background: Brightness of the empty street.
        level: Brightness that each pixel reads now.
        reference: Brightness at the pixel's last event.
        rise: Threshold of events of polarity 1.
        fall: Threshold of events of polarity 0.
        last_us: Time of the pixel's last event, in microseconds.
        hot: Row, column and rate in mHz of the hot pixels.
    """

    background: Float32[np.ndarray, "H W"]
    level: Float32[np.ndarray, "H W"]
    reference: Float32[np.ndarray, "H W"]
    rise: Float32[np.ndarray, "H W"]
    fall: Float32[np.ndarray, "H W"]
    last_us: Int64[np.ndarray, "H W"]
    hot: Int64[np.ndarray, "hot 3"]


class SlabSettings(NamedTuple):
    """Settings that all pictures of a slab share.

    Attributes:
        first_step: Number of the last picture before the slab.
        num_steps: Pictures in the slab.
        step_us: Time between two pictures, in microseconds.
        refractory_us: Time for which a pixel is silent after an event, in microseconds.
        follow: Share of a brightness change that a pixel follows within one step.
        noise_hz: Rate of noise events per pixel.
        seed: Seed of the noise.
    """

    first_step: int
    num_steps: int
    step_us: int
    refractory_us: int
    follow: float
    noise_hz: float
    seed: int


class Slab(NamedTuple):
    """Everything the sensor needs to turn some successive pictures into events."""

    settings: SlabSettings
    sprites: Sprites
    poses: Poses
    pixels: Pixels
