"""Settings of scores by rate; in a module of their own, so that reading them is fast."""

from typing import Literal

from pydantic import Field, PositiveInt, field_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.protocol import Milliseconds

WindowLength = Literal["step", "trained"]
"""How long windows are: as the time from one to the next, or as in training."""


class RateSettings(Settings):
    """At which rates of windows, and at which latencies, a detector is scored.

    Attributes:
        windows_per_second: Rates; each divides 1000, so that windows end at whole milliseconds.
        window_lengths: `step`: windows are as long as the time from one to the next, and every
            event is in one of them. `trained`: windows are always as long as in training, and
            overlap or leave events out.
        least_frames: Fewest labelled frames that are the end of a window at every rate.
        latencies_ms: Times to compute a window, at which the stored detections are scored.
    """

    windows_per_second: tuple[PositiveInt, ...] = Field(
        default=(10, 20, 50, 100, 200), min_length=1
    )
    window_lengths: tuple[WindowLength, ...] = Field(default=("step", "trained"), min_length=1)
    least_frames: PositiveInt = 20
    latencies_ms: tuple[Milliseconds, ...] = Field(
        default=(0, 10, 20, 30, 40, 50, 75, 100, 150, 200), min_length=1
    )

    @field_validator("windows_per_second", "window_lengths", "latencies_ms")
    @classmethod
    def _check_distinct(cls, values: tuple[object, ...]) -> tuple[object, ...]:
        if len(set(values)) < len(values):
            raise ValueError(f"{list(values)} names a value twice: list each once")
        return values

    @field_validator("windows_per_second")
    @classmethod
    def _check_rates(cls, rates: tuple[int, ...]) -> tuple[int, ...]:
        uneven = [rate for rate in rates if 1000 % rate]
        if uneven:
            raise ValueError(
                f"{uneven} do not divide 1000, but windows end at whole milliseconds: choose rates "
                "such as 10, 20, 25, 40, 50, 100, 125 or 200"
            )
        return rates
