"""Timestamps that are off."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Int64
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.chance import normal
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import joined, merged

_MOST = 3
"""Standard deviations at which the normal distribution is cut off, so that reading can begin and
end near the wanted times."""


class Config(EventChange):
    """The time of each event is off by a random amount; events are in order of the wrong times.

    Amounts are independent and normally distributed, up to three standard deviations. No event
    leaves the time that the recording covers.

    Attributes:
        deviation_ms: Standard deviation, in milliseconds.
    """

    unit: ClassVar[str] = "ms"
    kind: Literal["clock_jitter"] = "clock_jitter"
    deviation_ms: float = Field(default=5.0, ge=0, le=10_000)

    @property
    @override
    def severity(self) -> float:
        return self.deviation_ms

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        reach_us = round(1000 * _MOST * self.deviation_ms)
        waiting: Events | None = None
        for chunk in recording.read(max(start_us - reach_us, 0), stop_us + reach_us):
            if not len(chunk):
                continue
            times_us = self._moved(chunk, recording, seed)
            moved = Events(chunk.x, chunk.y, times_us, chunk.polarity)
            waiting = merged(moved) if waiting is None else merged(waiting, moved)
            # Events that are still to come are not moved before this time.
            safe_us = int(chunk.t_us[-1]) - reach_us
            ready = int(np.searchsorted(waiting.t_us, safe_us))
            yield _between(waiting.slice(0, ready), start_us, stop_us)
            waiting = joined([waiting.slice(ready, len(waiting))])
        if waiting is not None:
            yield _between(waiting, start_us, stop_us)

    def _moved(self, events: Events, recording: Recording, seed: int) -> Int64[np.ndarray, " N"]:
        amounts = normal(events, seed).clip(-_MOST, _MOST) * 1000 * self.deviation_ms
        times_us = events.t_us + np.rint(amounts).astype(np.int64)
        return times_us.clip(recording.start_us, recording.stop_us - 1)


def _between(events: Events, start_us: int, stop_us: int) -> Events:
    return events.slice(*np.searchsorted(events.t_us, [start_us, stop_us]).tolist())
