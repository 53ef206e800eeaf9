"""A traffic signal, at which road users stand still for some time."""

import math

import numpy as np
from jaxtyping import Float64
from pydantic import Field, model_validator

from etram_pipeline.core.component import Settings

Seconds = Float64[np.ndarray, "*shape"]


class Signal(Settings):
    """A signal that halts all road users of a lane at the same time, wherever they are.

    They brake evenly, stand and accelerate evenly, so that they never collide.

    Attributes:
        first_s: Time at which they begin to brake for the first time, in seconds.
        brake_s: Time that braking takes, and that accelerating takes, in seconds.
        halt_s: Time for which they stand, in seconds.
        cycle_s: Time from one braking to the next, in seconds.
    """

    first_s: float = Field(default=5.0, ge=0)
    brake_s: float = Field(default=3.0, gt=0)
    halt_s: float = Field(default=10.0, gt=0)
    cycle_s: float = Field(default=40.0, gt=0)

    @model_validator(mode="after")
    def _check_cycle(self) -> "Signal":
        shortest_s = 2 * self.brake_s + self.halt_s
        if self.cycle_s <= shortest_s:
            raise ValueError(
                f"cycle_s is {self.cycle_s:g}, but braking, standing and accelerating take "
                f"{shortest_s:g} s: make the cycle longer"
            )
        return self

    @property
    def lost_s(self) -> float:
        """Time that road users lose in each cycle, in seconds."""
        return self.brake_s + self.halt_s

    def driven_s(self, times_s: Seconds) -> Seconds:
        """How long the way travelled would have taken without the signal, in seconds.

        Args:
            times_s: Times since the start of the recording, in seconds.
        """
        since_s = np.maximum(times_s - self.first_s, 0)
        cycles, within_s = np.divmod(since_s, self.cycle_s)
        braking_s = within_s.clip(0, self.brake_s)
        starting_s = (within_s - self.lost_s).clip(0, self.brake_s)
        lost_s = (
            (within_s - self.brake_s).clip(0, self.halt_s)
            + braking_s**2 / (2 * self.brake_s)
            + starting_s
            - starting_s**2 / (2 * self.brake_s)
        )
        driven_s: Seconds = times_s - cycles * self.lost_s - lost_s
        return driven_s

    def time_s(self, driven_s: float) -> float:
        """The time at which `driven_s` is reached, in seconds since the start of the recording."""
        since_s = driven_s - self.first_s
        if since_s <= 0:
            return driven_s
        cycles, within_s = divmod(since_s, self.cycle_s - self.lost_s)
        start_s = self.first_s + cycles * self.cycle_s
        half_s = self.brake_s / 2
        if within_s < half_s:
            return start_s + self.brake_s * (1 - math.sqrt(1 - within_s / half_s))
        if within_s < self.brake_s:
            return start_s + self.lost_s + self.brake_s * math.sqrt(within_s / half_s - 1)
        return start_s + self.lost_s + within_s
