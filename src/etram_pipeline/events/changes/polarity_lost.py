"""Events without a meaningful polarity."""

from collections.abc import Iterator
from dataclasses import replace
from typing import ClassVar, Literal

import numpy as np
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.chance import derived_seed, uniform
from etram_pipeline.events.changes import EventChange


class Config(EventChange):
    """Some events lose their polarity, as in files or on sensors without one.

    Attributes:
        share: Probability that an event loses it.
        replaced_by: `rising`: the polarity becomes 1; `random`: 0 or 1, equally likely.
    """

    unit: ClassVar[str] = "percent"
    kind: Literal["polarity_lost"] = "polarity_lost"
    share: float = Field(default=1.0, ge=0, le=1)
    replaced_by: Literal["rising", "random"] = "rising"

    @property
    @override
    def severity(self) -> float:
        return 100 * self.share

    @property
    @override
    def variant(self) -> str:
        return self.replaced_by

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        for events in recording.read(start_us, stop_us):
            is_lost = uniform(events, seed) < self.share
            found: np.ndarray = np.ones_like(events.polarity)
            if self.replaced_by == "random":
                coins = uniform(events, derived_seed(seed, "polarity"))
                found = (coins >= 0.5).astype(np.uint8)  # noqa: PLR2004  # heads or tails
            yield replace(events, polarity=np.where(is_lost, found, events.polarity))
