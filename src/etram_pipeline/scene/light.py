"""Lighting of the scene, and the response of the sensor to it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Light:
    """Light that falls on the scene, and the response of the sensor.

    A pixel reads the logarithm of the received light plus its own dark current. At night, surfaces
    therefore have less contrast, and the photoreceptor is slower.

    Attributes:
        night: Whether lamps are lit.
        ambient: Light from the sky or street lamps, relative to day.
        dark_current: Reading of an unlit pixel, relative to white in daylight.
        response_us: Time constant of the photoreceptor, in microseconds; 0: instantaneous.
        noise: Factor of the rate of noise events.
    """

    night: bool
    ambient: float
    dark_current: float
    response_us: float
    noise: float

    def expose(self, level: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """Reading of surfaces under this light, given their reading `level` in daylight."""
        if not self.night:
            return level
        received = self.ambient * np.exp(level) + self.dark_current
        exposed: Float[np.ndarray, "*shape"] = np.log(received)
        return exposed


DAY = Light(night=False, ambient=1.0, dark_current=0.0, response_us=0.0, noise=1.0)
NIGHT = Light(night=True, ambient=0.25, dark_current=0.035, response_us=3000.0, noise=10.0)
