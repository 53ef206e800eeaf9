"""Noise of all pixels."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import Noise, read_with_noise


class Config(EventChange):
    """Every pixel fires at random times, with either polarity.

    Attributes:
        rate_hz: Mean number of added events per second and pixel.
    """

    unit: ClassVar[str] = "Hz"
    kind: Literal["background_activity"] = "background_activity"
    rate_hz: float = Field(default=5.0, ge=0, le=10_000)

    @property
    @override
    def severity(self) -> float:
        return self.rate_hz

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        pixels = np.arange(recording.height * recording.width)
        noise = Noise(pixels, recording.width, self.rate_hz, seed)
        return read_with_noise(recording.read, recording, noise, start_us, stop_us)
