"""Where the events of a stream come from; one module per source."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass

from etram_pipeline.streaming.chunks import Chunk


@dataclass
class SourceCounts:
    """What a source received, and what it did not.

    Attributes:
        packets: Packets received and passed on.
        lost: Packets that never came.
        reordered: Packets that came after later ones; passed on.
        repeated: Packets that came again; left out.
        foreign: Packets of another sender or format; left out.
        truncated: Packets that were cut off; left out.
        reconnects: How often the camera or sender came back.
    """

    packets: int = 0
    lost: int = 0
    reordered: int = 0
    repeated: int = 0
    foreign: int = 0
    truncated: int = 0
    reconnects: int = 0


class Source(ABC):
    """An iterable of chunks that can be closed while another thread waits for the next one.

    Attributes:
        counts: What it received so far.
    """

    counts: SourceCounts

    @property
    @abstractmethod
    def size(self) -> tuple[int, int]:
        """Height and width of the sensor, in px; waits until it is known.

        Raises:
            SourceError: If it cannot be known.
        """

    @abstractmethod
    def __iter__(self) -> Iterator[Chunk]: ...

    @abstractmethod
    def close(self) -> None:
        """End the source soon, from any thread; closing it again has no effect."""
