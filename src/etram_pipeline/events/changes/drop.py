"""Events that are lost one by one."""

from collections.abc import Iterator
from typing import ClassVar, Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.recording import Events, Recording
from etram_pipeline.events.chance import uniform
from etram_pipeline.events.changes import EventChange, kept


class Config(EventChange):
    """Each event is lost with the same probability, as by a bus that is too slow.

    Attributes:
        share: Probability that an event is lost.
    """

    unit: ClassVar[str] = "percent"
    kind: Literal["drop"] = "drop"
    share: float = Field(default=0.5, ge=0, le=1)

    @property
    @override
    def severity(self) -> float:
        return 100 * self.share

    @override
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        events = recording.read(start_us, stop_us)
        return kept(events, lambda chunk: uniform(chunk, seed) >= self.share)
