"""Settings of latency measurements; in a module of their own, so that reading them is fast."""

from pydantic import Field, PositiveFloat, PositiveInt

from etram_pipeline.core.component import Settings
from etram_pipeline.deployment.engines import EngineConfig

MOST_DROP = 0.005
"""Average precision that an engine may cost before it is refused: half a point of 100."""


def _engines() -> tuple[EngineConfig, ...]:
    return tuple(EngineConfig.model_validate({"kind": kind}) for kind in ("onnxruntime", "eager"))


class LatencySettings(Settings):
    """What latency is measured of. Every combination runs in a process of its own.

    Attributes:
        engines: What computes the windows. Metrics without the name of an engine are those of the
            first one.
        million_events_per_s: Rates of the events, which are simulated.
        threads: Numbers of threads that compute one window.
        windows: Windows measured of each combination, in real time after the first ones.
        limit_s: Time after which a combination is given up, in seconds.
        scored_recordings: Recordings in which the average precision of engines that round numbers
            is measured, and that of the first one that does not.
    """

    engines: tuple[EngineConfig, ...] = Field(default_factory=_engines, min_length=1)
    million_events_per_s: tuple[PositiveFloat, ...] = Field(default=(5.0,), min_length=1)
    threads: tuple[PositiveInt, ...] = Field(default=(1,), min_length=1)
    windows: PositiveInt = 100
    limit_s: PositiveFloat = 600
    scored_recordings: PositiveInt = 4
