"""Where the camera stands, and where it sees a point of the street."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from etram_pipeline.scene.settings import SceneSettings

Metres = Float[np.ndarray, "*shape"]


class Projection(NamedTuple):
    """Where points of the street are seen.

    Attributes:
        x: Column, in px.
        y: Row, in px.
        px_per_m: Scale at which what stands there is seen.
    """

    x: Metres
    y: Metres
    px_per_m: Metres


@dataclass(frozen=True)
class Camera:
    """A camera on a mast that looks across a straight street.

    The street's own coordinates are `along`, growing to the right, and `across`, growing away from
    the camera, in metres; the street passes `turn_m` in front of the camera at an angle.

    Attributes:
        height: Rows, in px.
        width: Columns, in px.
        focal_px: Focal length.
        horizon_px: Row of the horizon; negative above the picture.
        mast_m: Height of the camera above the street.
        slant: Angle between street and picture, in radians.
        turn_m: Distance at which the street turns by that angle.
    """

    height: int
    width: int
    focal_px: float
    horizon_px: float
    mast_m: float
    slant: float
    turn_m: float

    def project(self, along_m: Metres, across_m: float) -> Projection:
        """Where points on the ground are seen."""
        beyond = across_m - self.turn_m
        depth = self.turn_m + beyond * np.cos(self.slant) + along_m * np.sin(self.slant)
        aside = along_m * np.cos(self.slant) - beyond * np.sin(self.slant)
        px_per_m = self.focal_px / depth
        return Projection(
            x=self.width / 2 + aside * px_per_m,
            y=self.horizon_px + self.mast_m * px_per_m,
            px_per_m=px_per_m,
        )

    def unproject(self, x: Metres, y: Metres) -> tuple[Metres, Metres]:
        """Points `along` and `across` on the ground seen in the px below the horizon."""
        px_per_m = (y - self.horizon_px) / self.mast_m
        depth = self.focal_px / px_per_m - self.turn_m
        aside = (x - self.width / 2) / px_per_m
        along = aside * np.cos(self.slant) + depth * np.sin(self.slant)
        across = depth * np.cos(self.slant) - aside * np.sin(self.slant)
        return along, across + self.turn_m

    def half_view_m(self, across_m: float) -> float:
        """Half of the street's length in view at a distance."""
        return 0.5 * self.width * across_m / self.focal_px


def place_camera(settings: SceneSettings, rng: np.random.Generator) -> Camera:
    """A random camera under which road users have sizes that a detector can tell apart."""
    scale = settings.scale
    return Camera(
        height=settings.height,
        width=settings.width,
        focal_px=rng.uniform(680, 760) * scale,
        horizon_px=rng.uniform(-70, -30) * scale,
        mast_m=rng.uniform(12.8, 13.8) * settings.height / (384 * scale),
        slant=rng.uniform(-0.14, 0.14),
        turn_m=30.0,
    )
