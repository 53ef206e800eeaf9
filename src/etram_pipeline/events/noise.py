"""Events without a cause in the scene, added to those of a recording."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.recording import Events, Recording

_SLOT_US = 10_000
"""Noise is drawn slot by slot, so that it is the same wherever reading begins."""

_SPAN_US = 10 * _SLOT_US
"""Longest time that is merged at once, which bounds memory where events are rare."""


@dataclass(frozen=True)
class Noise:
    """Independent events of some pixels, all at the same mean rate.

    Attributes:
        pixels: `row * width + column` of each pixel that fires.
        width: Columns of the sensor, in px.
        rate_hz: Mean number of events per second and pixel; their times are a Poisson process.
        seed: Decides times, places and polarities; at least 0.
        polarity: `rising`: all events are 1; `random`: 0 and 1 are equally likely.
    """

    pixels: Int64[np.ndarray, " P"]
    width: int
    rate_hz: float
    seed: int
    polarity: Literal["rising", "random"] = "random"

    def between(self, start_us: int, stop_us: int) -> Events:
        """The events with `start_us <= t_us < stop_us`, in order of time."""
        slots = range(start_us // _SLOT_US, -(-stop_us // _SLOT_US))
        whole = joined([self._in_slot(slot) for slot in slots])
        return whole.slice(*np.searchsorted(whole.t_us, [start_us, stop_us]).tolist())

    def _in_slot(self, slot: int) -> Events:
        rng = np.random.default_rng([self.seed, slot])
        number = rng.poisson(self.rate_hz * len(self.pixels) * _SLOT_US / 1e6)
        places = self.pixels[rng.integers(max(len(self.pixels), 1), size=number)]
        times_us = np.sort(rng.integers(_SLOT_US, size=number))
        polarity = rng.integers(2, size=number, dtype=np.uint8)
        return Events(
            x=(places % self.width).astype(np.uint16),
            y=(places // self.width).astype(np.uint16),
            t_us=slot * _SLOT_US + times_us,
            polarity=np.ones_like(polarity) if self.polarity == "rising" else polarity,
        )


def read_with_noise(
    read: Callable[[int, int], Iterable[Events]],
    recording: Recording,
    noise: Noise,
    start_us: int,
    stop_us: int,
) -> Iterator[Events]:
    """Events and noise in order of time, the noise last among equal times, in bounded chunks.

    Noise is added from the first event of the recording to its last.

    Args:
        read: Reads the events between two times.
        recording: The recording that they are of.
        noise: What is added.
        start_us: Earliest time, in microseconds, included.
        stop_us: Latest time, in microseconds, excluded.
    """
    done_us = max(start_us, recording.start_us)
    end_us = min(stop_us, recording.stop_us)
    for chunk in read(start_us, stop_us):
        # Later events may have the time of this chunk's last one, and precede noise of that time.
        until_us = int(chunk.t_us[-1]) if len(chunk) else done_us
        edges_us = [*range(done_us, until_us, _SPAN_US), until_us]
        cuts = [0, *np.searchsorted(chunk.t_us, edges_us[1:-1]).tolist(), len(chunk)]
        for number in range(len(edges_us) - 1):
            part = chunk.slice(cuts[number], cuts[number + 1])
            yield merged(part, noise.between(edges_us[number], edges_us[number + 1]))
        if len(edges_us) == 1:
            yield chunk
        done_us = max(done_us, until_us)
    for begin_us in range(done_us, end_us, _SPAN_US):
        yield noise.between(begin_us, min(begin_us + _SPAN_US, end_us))


def merged(*parts: Events) -> Events:
    """All events in order of time; those of equal times in the order of the parts."""
    whole = joined(parts)
    order = np.argsort(whole.t_us, kind="stable")
    return Events(whole.x[order], whole.y[order], whole.t_us[order], whole.polarity[order])


def joined(parts: Iterable[Events]) -> Events:
    """The events of one part after the other; at least one part."""
    x, y, t_us, polarity = zip(
        *((part.x, part.y, part.t_us, part.polarity) for part in parts), strict=True
    )
    return Events(
        np.concatenate(x), np.concatenate(y), np.concatenate(t_us), np.concatenate(polarity)
    )
