"""Settings of scores by rate; in a module of their own, so that reading them is fast."""

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveInt

from etram_pipeline.core.component import Settings
from etram_pipeline.evaluation.protocol import Milliseconds
from etram_pipeline.inference.rates import WindowLengths, WindowRates, distinct


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

    windows_per_second: WindowRates = Field(default=(10, 20, 50, 100, 200), min_length=1)
    window_lengths: WindowLengths = Field(default=("step", "trained"), min_length=1)
    least_frames: PositiveInt = 20
    latencies_ms: Annotated[tuple[Milliseconds, ...], AfterValidator(distinct)] = Field(
        default=(0, 10, 20, 30, 40, 50, 75, 100, 150, 200), min_length=1
    )
