"""What sources of packets have in common."""

from abc import abstractmethod
from collections.abc import Generator, Iterator
from inspect import GEN_CREATED, getgeneratorstate
from socket import socket
from threading import Event

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import Chunk
from etram_pipeline.streaming.sources import Source, SourceCounts

LOOPBACK = "127.0.0.1"

POLL_S = 0.1
"""How often a source that waits looks whether it was closed, in seconds."""


class NetworkSource(Source):
    """Receives packets at a port; can be read once.

    Args:
        inlet: A bound socket; closed at the end.
        size: Height and width of the sensor in px; None: as the sender tells.

    Attributes:
        port: Port that it listens at.
    """

    def __init__(self, inlet: socket, size: tuple[int, int] | None) -> None:
        inlet.settimeout(POLL_S)
        self.counts = SourceCounts()
        self.port: int = inlet.getsockname()[1]
        self._inlet, self._size = inlet, size
        self._closed = Event()
        self._early: list[Chunk] = []
        self._chunks = self._receive()

    @property
    @override
    def size(self) -> tuple[int, int]:
        if self._size is None:
            chunk = next(self._chunks, None)
            if chunk is not None:
                self._early.append(chunk)
        if self._size is None:
            raise SourceError(
                "no packet told the size of the sensor: give it to the sender, or here"
            )
        return self._size

    @override
    def __iter__(self) -> Iterator[Chunk]:
        while self._early:
            yield self._early.pop(0)
        yield from self._chunks

    @override
    def close(self) -> None:
        self._closed.set()
        if getgeneratorstate(self._chunks) == GEN_CREATED:
            self._inlet.close()

    @abstractmethod
    def _receive(self) -> Generator[Chunk, None, None]:
        """Chunks of all packets, until the end or until closed; closes the socket then."""

    def _learn(self, size: tuple[int, int]) -> None:
        if self._size is None and all(size):
            self._size = size
