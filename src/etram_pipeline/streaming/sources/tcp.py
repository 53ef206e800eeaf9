"""Events from another program or computer by TCP; see `wire` for the format."""

import selectors
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import ExitStack, closing

from typing_extensions import override

from etram_pipeline.core.errors import SourceError
from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources.network import LOOPBACK, POLL_S, NetworkSource
from etram_pipeline.streaming.sources.wire import (
    HEADER,
    MOST_EVENTS,
    Header,
    chunks_of,
    packets_of,
    unpack_header,
)

MOST_SILENT = 16
"""Connections that may wait without having said anything; the oldest gives way."""

_KEEP_ALIVE = {
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE): 1,
    **{
        (socket.IPPROTO_TCP, getattr(socket, name)): value
        for name, value in (("TCP_KEEPIDLE", 2), ("TCP_KEEPINTVL", 1), ("TCP_KEEPCNT", 3))
        if hasattr(socket, name)
    },
}
"""By which it is noticed within seconds that the computer of a sender has gone."""


def send_tcp(
    chunks: Iterable[Chunk],
    port: int,
    host: str = LOOPBACK,
    *,
    size: tuple[int, int] | None = None,
    most_events: int = MOST_EVENTS,
) -> int:
    """Send a stream, and that it ends; returns the number of packets.

    Waits when the receiver does, so nothing is lost.

    Args:
        chunks: The stream, such as a `RecordingSource`.
        port: Port of the receiver, which must be listening.
        host: Address of the receiver.
        size: Height and width of the sensor in px; None: the receiver must know them.
        most_events: Events per packet.

    Raises:
        ValueError: If a packet cannot hold so many events, or a chunk is none.
        OSError: If there is no receiver, or it has gone.
    """
    number = 0
    with socket.create_connection((host, port)) as outlet:
        outlet.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for packet in packets_of(chunks, size, most_events):
            outlet.sendall(packet)
            number += 1
    return number


class TcpSource(NetworkSource):
    """Listens for senders and receives from one at a time; can be read once.

    The first of those connected that says anything is heard; whoever is silent keeps nobody out.
    If a sender goes without telling that the stream ends, the next one is waited for. A new clock
    begins unless it goes on with the same session. A sender of another format is sent away and
    counted.

    Args:
        port: Port to listen at; 0: any that is free.
        host: Address to listen at; by default only this computer can send.
        size: Height and width of the sensor in px; None: as the sender tells.

    Raises:
        SourceError: If it cannot listen there.
    """

    def __init__(
        self, port: int, host: str = LOOPBACK, *, size: tuple[int, int] | None = None
    ) -> None:
        try:
            inlet = socket.create_server((host, port), backlog=MOST_SILENT)
        except OSError as error:
            raise SourceError(
                f"cannot listen for TCP at {host}:{port} ({error}): choose another port"
            ) from error
        super().__init__(inlet, size)
        self._silent: list[socket.socket] = []

    @override
    def _receive(self) -> Generator[Chunk, None, None]:
        session: int | None = None
        with closing(self._inlet), ExitStack() as connections:
            connections.callback(self._close_silent)
            while not self._closed.is_set():
                connection = self._accept()
                if connection is None:
                    continue
                with closing(connection):
                    for header, content in self._packets(connection):
                        if session not in {None, header.session}:
                            self.counts.reconnects += 1
                            yield NEW_CLOCK
                        session = header.session
                        yield from chunks_of(header, content)
                        if header.is_end:
                            return

    def _accept(self) -> socket.socket | None:
        """A sender that says something; None if there is none yet."""
        with selectors.DefaultSelector() as waiting:
            for each in (self._inlet, *self._silent):
                waiting.register(each, selectors.EVENT_READ)
            ready = [key.fileobj for key, _ in waiting.select(POLL_S)]
        if self._inlet in ready:
            self._add_silent()
        speaking = next((each for each in self._silent if each in ready), None)
        if speaking is not None:
            self._silent.remove(speaking)
        return speaking

    def _add_silent(self) -> None:
        try:
            connection, _ = self._inlet.accept()
        except TimeoutError:
            return
        connection.settimeout(POLL_S)
        for option, value in _KEEP_ALIVE.items():
            connection.setsockopt(*option, value)
        self._silent.append(connection)
        if len(self._silent) > MOST_SILENT:
            self._silent.pop(0).close()

    def _close_silent(self) -> None:
        while self._silent:
            self._silent.pop().close()

    def _packets(self, connection: socket.socket) -> Iterator[tuple[Header, bytes]]:
        """Packets of one sender, until it goes or sends anything else."""
        while (start := self._read(connection, HEADER.size)) is not None:
            header = unpack_header(start)
            if header is None or header.num_events > MOST_EVENTS:
                self.counts.foreign += 1
                return
            content = self._read(connection, header.num_bytes)
            if content is None:
                self.counts.truncated += not self._closed.is_set()
                return
            self.counts.packets += 1
            self._learn(header.size)
            yield header, content

    def _read(self, connection: socket.socket, num_bytes: int) -> bytes | None:
        """That many bytes; None if the sender goes before, or this source is closed."""
        content = bytearray()
        while len(content) < num_bytes and not self._closed.is_set():
            try:
                part = connection.recv(num_bytes - len(content))
            except TimeoutError:
                continue
            except OSError:
                part = b""
            if not part:
                return None
            content += part
        return bytes(content) if len(content) == num_bytes else None
