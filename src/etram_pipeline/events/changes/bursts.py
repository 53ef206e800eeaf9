"""All events of some intervals lost."""

from collections.abc import Iterator
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Bool
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.changes import EventChange, kept


class Config(EventChange):
    """The recording is divided into intervals, and some lose all events, as by a full buffer.

    Lost intervals are chosen independently, so two in a row make a gap of twice the length. The
    seed decides where intervals begin.

    Attributes:
        share: Probability that an interval is lost.
        length_ms: Length of an interval, in milliseconds.
    """

    unit: ClassVar[str] = "percent"
    kind: Literal["bursts"] = "bursts"
    share: float = Field(default=0.25, ge=0, le=1)
    length_ms: float = Field(default=50.0, ge=0.001, le=100_000)

    @property
    @override
    def severity(self) -> float:
        return 100 * self.share

    @property
    @override
    def variant(self) -> str:
        return f"{self.length_ms:g}_ms"

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        length_us = max(round(1000 * self.length_ms), 1)
        phase_us = int(np.random.default_rng([seed]).integers(length_us))

        def is_kept(events: Events) -> Bool[np.ndarray, " N"]:
            intervals, of_event = np.unique(
                (events.t_us + phase_us) // length_us, return_inverse=True
            )
            chances = [np.random.default_rng([seed, each]).random() for each in intervals.tolist()]
            survives: Bool[np.ndarray, " N"] = np.array(chances)[of_event] >= self.share
            return survives

        return kept(recording.read(start_us, stop_us), is_kept)
