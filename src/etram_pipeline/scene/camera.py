"""Position of the camera, and the projection of the street into its picture."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from etram_pipeline.scene.settings import SceneSettings

Metres = Float[np.ndarray, "*shape"]


class Projection(NamedTuple):
    """Projection of points of the street into the picture.

    Attributes:
        x: Column, in px.
        y: Row, in px.
        px_per_m: Scale of objects at that point, in px per metre.
    """

    x: Metres
    y: Metres
    px_per_m: Metres


@dataclass(frozen=True)
class Camera:
    """A camera on a mast that looks across a straight street.

    Street coordinates are in metres: `along` increases to the right, `across` increases with the
    distance from the camera. The street passes the camera at a distance of `turn_m`, at an angle.

    Attributes:
        height: Rows, in px.
        width: Columns, in px.
        focal_px: Focal length, in px.
        horizon_px: Row of the horizon, in px; negative if it lies above the picture.
        mast_m: Height of the camera above the street, in metres.
        slant: Angle between the street and the picture plane, in radians.
        turn_m: Distance of the axis about which the street is turned by that angle, in metres.
    """

    height: int
    width: int
    focal_px: float
    horizon_px: float
    mast_m: float
    slant: float
    turn_m: float

    def project(self, along_m: Metres, across_m: float) -> Projection:
        """Project points on the ground into the picture."""
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
        """Street coordinates, `along` and `across`, of ground points seen below the horizon."""
        px_per_m = (y - self.horizon_px) / self.mast_m
        depth = self.focal_px / px_per_m - self.turn_m
        aside = (x - self.width / 2) / px_per_m
        along = aside * np.cos(self.slant) + depth * np.sin(self.slant)
        across = depth * np.cos(self.slant) - aside * np.sin(self.slant)
        return along, across + self.turn_m

    def half_view_m(self, across_m: float) -> float:
        """Half of the length of street in view at a distance, in metres."""
        return 0.5 * self.width * across_m / self.focal_px


def place_camera(settings: SceneSettings, rng: np.random.Generator) -> Camera:
    """A random camera that shows road users at sizes a detector can distinguish."""
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
