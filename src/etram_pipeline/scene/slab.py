"""What the sensor looks at in one stretch of time, as flat arrays for compiled code."""

from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float32, Int64


class Sprites(NamedTuple):
    """Pictures of those in the scene, farthest first, laid out one after another.

    Attributes:
        values: Brightness times opacity, opacity and light of every phase.
        first: Where in `values` each begins.
        rows: Height of each.
        columns: Width of each.
        extents: First and last column used in each row.
        first_extent: Where in `extents` each begins.
        moving: True for rows that differ between phases, or whose next row does.
        lit: True for those that add light to what surrounds them.
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
    """Where each of them is in every picture, and where it was `lag` pictures before.

    Attributes:
        first_row: First row of the picture that a sprite reaches.
        stop_row: Row after the last.
        first_column: First column that it reaches.
        stop_column: Column after the last.
        left: Column at which the sprite begins, in px.
        top: Row at which it begins, in px.
        former_left: `left` of `lag` pictures before.
        scale: Size of a px of the sprite, in px.
        phase: Picture of the animation.
        next_phase: The one it passes into.
        blend: How far it has passed into it.
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
    """State of the sensor, changed while it looks.

    Attributes:
        background: Brightness of the empty street.
        level: Brightness each pixel reads now.
        reference: Brightness at its last event.
        rise: Threshold of events of polarity 1.
        fall: Threshold of events of polarity 0.
        last_us: Time of its last event.
        hot: Row, column and rate in mHz of pixels that fire by themselves.
    """

    background: Float32[np.ndarray, "H W"]
    level: Float32[np.ndarray, "H W"]
    reference: Float32[np.ndarray, "H W"]
    rise: Float32[np.ndarray, "H W"]
    fall: Float32[np.ndarray, "H W"]
    last_us: Int64[np.ndarray, "H W"]
    hot: Int64[np.ndarray, "hot 3"]


class SlabTimes(NamedTuple):
    """What a stretch of pictures shares.

    Attributes:
        first_step: Number of the last picture seen before.
        num_steps: Pictures to look at.
        step_us: Time between pictures.
        refractory_us: Time a pixel rests after an event.
        follow: Share of a change a pixel follows within a step.
        noise_hz: Rate of events without a cause, per pixel.
        seed: Number that decides the noise.
    """

    first_step: int
    num_steps: int
    step_us: int
    refractory_us: int
    follow: float
    noise_hz: float
    seed: int


class Slab(NamedTuple):
    """All that the sensor needs to look at one stretch of pictures."""

    clock: SlabTimes
    sprites: Sprites
    poses: Poses
    pixels: Pixels
