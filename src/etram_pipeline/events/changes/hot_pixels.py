"""Pixels that fire without cause."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange
from etram_pipeline.events.noise import Noise, read_with_noise


class Config(EventChange):
    """Some pixels, always the same, fire all the time, with rising polarity.

    Junction leakage lets the reference of a pixel drift in one direction, which causes events of
    rising polarity.

    Source: Nozaki and Delbruck, "Temperature and Parasitic Photocurrent Effects in Dynamic Vision
    Sensors", IEEE Transactions on Electron Devices 64 (2017).

    Attributes:
        share: Share of all pixels.
        rate_hz: Mean number of added events per second and pixel.
    """

    unit: ClassVar[str] = "percent"
    kind: Literal["hot_pixels"] = "hot_pixels"
    share: float = Field(default=0.001, ge=0, le=1)
    rate_hz: float = Field(default=500.0, ge=0, le=10_000)

    @property
    @override
    def severity(self) -> float:
        return 100 * self.share

    @property
    @override
    def variant(self) -> str:
        return f"{self.rate_hz:g}_hz"

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        num_pixels = recording.height * recording.width
        pixels = np.random.default_rng([seed]).choice(
            num_pixels, round(self.share * num_pixels), replace=False
        )
        noise = Noise(pixels, recording.width, self.rate_hz, seed, "rising")
        return read_with_noise(recording.read, recording, noise, start_us, stop_us)
