"""Events from another program or computer by UDP; see `wire` for the format."""

import socket
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import closing

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources.network import LOOPBACK, NetworkSource
from etram_pipeline.streaming.sources.numbering import Numbering
from etram_pipeline.streaming.sources.wire import (
    HEADER,
    MOST_EVENTS,
    Header,
    chunks_of,
    packets_of,
    unpack_header,
)

QUIET_S = 1.0
"""Time without a packet after which another sender may take over, in seconds."""

_LARGEST = 65_535
_ROOM_BYTES = 2**23


def send_udp(
    chunks: Iterable[Chunk],
    port: int,
    host: str = LOOPBACK,
    *,
    size: tuple[int, int] | None = None,
    most_events: int = 1000,
) -> int:
    """Send a stream, and that it ends; returns the number of packets.

    Nothing limits the rate but the stream itself, and what the receiver has no room for is lost.

    Args:
        chunks: The stream, such as a paced `RecordingSource`.
        port: Port of the receiver.
        host: Address of the receiver.
        size: Height and width of the sensor in px; None: the receiver must know them.
        most_events: Events per packet. Networks divide packets of more than about 110 events, and
            lose a packet whole if a part is lost.

    Raises:
        ValueError: If a packet cannot hold so many events, or a chunk is none.
        OSError: If the network refuses a packet.
    """
    number = 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outlet:
        for packet in packets_of(chunks, size, most_events):
            outlet.sendto(packet, (host, port))
            number += 1
    return number


class UdpSource(NetworkSource):
    """Receives the packets of one sender at a time; can be read once.

    Packets that are lost, late, repeated, cut off or of others are counted; late ones are passed
    on. If the sender is started anew, or after `QUIET_S` another one takes over, a new clock
    begins.

    Args:
        port: Port to listen at; 0: any that is free.
        host: Address to listen at; by default only this computer can send.
        size: Height and width of the sensor in px; None: as the sender tells.
        clock: Time in seconds, by which `QUIET_S` is measured.

    Raises:
        SourceError: If it cannot listen there.
    """

    def __init__(
        self,
        port: int,
        host: str = LOOPBACK,
        *,
        size: tuple[int, int] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        inlet = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        try:
            inlet.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _ROOM_BYTES)
            inlet.bind((host, port))
        except OSError as error:
            inlet.close()
            raise SourceError(
                f"cannot listen for UDP at {host}:{port} ({error}): choose another port"
            ) from error
        super().__init__(inlet, size)
        self._clock = clock
        self._numbering = Numbering(self.counts)
        self._heard_s = 0.0

    @override
    def _receive(self) -> Generator[Chunk, None, None]:
        with closing(self._inlet):
            while not self._closed.is_set():
                try:
                    data = self._inlet.recv(_LARGEST)
                except TimeoutError:
                    continue
                header = self._checked(data)
                if header is None:
                    continue
                if self._numbering.is_new_session:
                    yield NEW_CLOCK
                yield from chunks_of(header, data[HEADER.size :])
                if header.is_end:
                    return

    def _checked(self, data: bytes) -> Header | None:
        """The header of a packet that is to be passed on; others are counted."""
        header, now_s = unpack_header(data), self._clock()
        if header is None:
            self.counts.foreign += 1
            return None
        if len(data) != HEADER.size + header.num_bytes or header.num_events > MOST_EVENTS:
            self.counts.truncated += 1
            return None
        may_change = now_s - self._heard_s > QUIET_S
        if not self._numbering.accept(header.session, header.number, may_change=may_change):
            return None
        self._heard_s = now_s
        self._learn(header.size)
        return header
