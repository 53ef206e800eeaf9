"""What the scene is lit by, and how dark the sensor sees it."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Light:
    """Light that falls on the scene, and what the sensor makes of it.

    A pixel reads the logarithm of the light it receives plus its own dark current, so that at night
    the same surfaces differ less, and less light makes the photoreceptor slower.

    Attributes:
        night: True if lamps are lit.
        ambient: Light from sky or street lamps, relative to day.
        dark_current: What an unlit pixel reads, relative to white in daylight.
        response_us: Time constant of the photoreceptor; 0 follows at once.
        noise: Factor on the rate of noise events.
    """

    night: bool
    ambient: float
    dark_current: float
    response_us: float
    noise: float

    def expose(self, level: Float[np.ndarray, "*shape"]) -> Float[np.ndarray, "*shape"]:
        """What the sensor reads of surfaces that read `level` in daylight."""
        if not self.night:
            return level
        received = self.ambient * np.exp(level) + self.dark_current
        exposed: Float[np.ndarray, "*shape"] = np.log(received)
        return exposed


DAY = Light(night=False, ambient=1.0, dark_current=0.0, response_us=0.0, noise=1.0)
NIGHT = Light(night=True, ambient=0.25, dark_current=0.035, response_us=3000.0, noise=10.0)
