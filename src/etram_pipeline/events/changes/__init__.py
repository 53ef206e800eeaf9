"""Changes that sensors and their surroundings make to events; one module per change.

What a change does to an event depends on the seed, on the event and on the time, never on how or
from where the recording is read.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator
from typing import ClassVar

import numpy as np
from jaxtyping import Bool

from etram_pipeline.core.component import Component
from etram_pipeline.core.recording import Events, Recording


class EventChange(Component):
    """A change of the events of a recording, of one strength.

    Attributes:
        unit: Unit of `severity`.
    """

    package: ClassVar[str] = __name__
    unit: ClassVar[str]

    @property
    @abstractmethod
    def severity(self) -> float:
        """How strong the change is, in its unit; the least value changes nothing."""

    @property
    def variant(self) -> str:
        """What distinguishes this change from others of its kind, besides the severity."""
        return ""

    @property
    def name(self) -> str:
        """Kind and variant, such as `bursts_50_ms`."""
        return f"{self.kind}_{self.variant}" if self.variant else self.kind

    @property
    def severity_name(self) -> str:
        """The severity in a name of a metric, such as `50_percent`."""
        return f"{self.severity:g}_{self.unit.lower()}"

    @abstractmethod
    def read(
        self, recording: Recording, start_us: int, stop_us: int, seed: int
    ) -> Iterator[Events]:
        """The changed events with `start_us <= t_us < stop_us`, in order of time, in chunks.

        Args:
            recording: The recording as it is.
            start_us: Earliest time, in microseconds.
            stop_us: Latest time, in microseconds, excluded.
            seed: From 0 to below 2⁶⁴; decides what is random.

        Raises:
            RecordingError: If the recording is damaged.
        """


def kept(
    chunks: Iterable[Events], is_kept: Callable[[Events], Bool[np.ndarray, " N"]]
) -> Iterator[Events]:
    """The events that a condition keeps, chunk by chunk."""
    for events in chunks:
        chosen = is_kept(events)
        yield Events(
            events.x[chosen], events.y[chosen], events.t_us[chosen], events.polarity[chosen]
        )
