"""Less light: weak edges disappear, and noise grows."""

from collections.abc import Iterator
from functools import partial
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import Noise, read_with_noise

_SLOT_US = 100_000
"""Pixels forget what they added up at multiples of this time, so reading can begin at any."""


class Config(EventChange):
    """Contrast is lower by a factor, and every pixel has the noise of a dark scene.

    A pixel causes an event whenever the logarithm of its brightness has changed by a threshold
    since the last event, so a contrast that is lower by a factor is a threshold that is higher by
    it. Rises and falls of each pixel are added up with their signs; at every sum of that many,
    there is one event of the last polarity. An edge with fewer events disappears. Sums start at 0
    every 100 ms. The slower reaction of pixels by little light is not part of the model.

    Source: Rebecq et al., "ESIM: an Open Event Camera Simulator", CoRL 2018, section 3.1, for the
    threshold; Hu, Liu and Delbruck, "v2e: From Video Frames to Realistic DVS Events", CVPR
    Workshops 2021, for noise that is strongest in the dark (5 Hz in its noisy model).

    Attributes:
        contrast_divided_by: By how much contrast is lower.
        noise_hz: Mean number of added events per second and pixel.
    """

    unit: ClassVar[str] = "times"
    kind: Literal["night"] = "night"
    contrast_divided_by: int = Field(default=2, ge=1, le=100)
    noise_hz: float = Field(default=5.0, ge=0, le=10_000)

    @property
    @override
    def severity(self) -> float:
        return float(self.contrast_divided_by)

    @property
    @override
    def variant(self) -> str:
        return f"{self.noise_hz:g}_hz"

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        pixels = np.arange(recording.height * recording.width)
        noise = Noise(pixels, recording.width, self.noise_hz, seed)
        read = partial(self._strong, recording)
        return read_with_noise(read, recording, noise, start_us, stop_us)

    def _strong(self, recording: Recording, start_us: int, stop_us: int) -> Iterator[Events]:
        from etram_pipeline.events.threshold import exceed_threshold

        num_pixels = recording.height * recording.width
        sums, slots = np.zeros(num_pixels, np.int8), np.full(num_pixels, -1, np.int64)
        for events in recording.read(start_us // _SLOT_US * _SLOT_US, stop_us):
            pixels = events.y.astype(np.int64) * recording.width + events.x
            is_event = exceed_threshold(
                (pixels, events.t_us // _SLOT_US, events.polarity),
                self.contrast_divided_by,
                (sums, slots),
            )
            chosen = np.flatnonzero(is_event & (events.t_us >= start_us))
            yield Events(
                events.x[chosen], events.y[chosen], events.t_us[chosen], events.polarity[chosen]
            )
