"""Which source a name stands for."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.live.page_access import LOOPBACK, Address
from etram_pipeline.streaming.sources import Source

Kind = Literal["recording", "udp", "tcp", "metavision", "inivation"]

_NETWORK_HEARTBEAT_MS = 100.0
"""Packets may come this late without being taken for silence."""

_CAMERA_HEARTBEAT_MS = 20.0


@dataclass(frozen=True)
class SourceName:
    """What is to be opened.

    Attributes:
        text: As it was given.
        kind: What kind of source it is.
        place: The file, or the serial number of the camera (empty: the first one found).
        address: Where to listen or send to; None for recordings and cameras.
    """

    text: str
    kind: Kind
    place: str
    address: Address | None = None

    @property
    def heartbeat_ms(self) -> float | None:
        """Time without a chunk after which the sensor is silent; None: the source tells."""
        if self.kind == "recording":
            return None
        return _CAMERA_HEARTBEAT_MS if self.address is None else _NETWORK_HEARTBEAT_MS


def parse_source(text: str) -> SourceName:
    """What `udp://HOST:PORT`, `tcp://…`, `metavision:SERIAL`, `inivation:SERIAL` or a path is.

    Raises:
        SettingsError: If the address has no port.
    """
    kind, separator, place = text.partition(":")
    match kind:
        case "metavision" | "inivation" if separator:
            return SourceName(text, kind, place)
        case "udp" | "tcp" if place.startswith("//"):
            return SourceName(text, kind, place, _address(text))
    return SourceName(text, "recording", text)


def open_source(name: SourceName, *, speed: float | None, size: tuple[int, int] | None) -> Source:
    """Open a source.

    Args:
        name: What to open.
        speed: How many times faster than it was recorded a recording is played; None: as fast as
            it can be read.
        size: Height and width of the sensor in px, if the source does not tell.

    Raises:
        EtramError: If it cannot be opened.
    """
    if name.address is not None:
        return _open_network(name.kind, name.address, size)
    if name.kind == "recording":
        from etram_pipeline.streaming.sources.recording import RecordingSource

        return RecordingSource(Path(name.place), speed=speed, size=size)
    return _open_camera(name)


def _open_network(kind: Kind, address: Address, size: tuple[int, int] | None) -> Source:
    if kind == "udp":
        from etram_pipeline.streaming.sources.udp import UdpSource

        return UdpSource(address.port, address.host, size=size)
    from etram_pipeline.streaming.sources.tcp import TcpSource

    return TcpSource(address.port, address.host, size=size)


def _open_camera(name: SourceName) -> Source:
    """A camera that may go and come back, once it was there."""
    from etram_pipeline.streaming.sources.reconnecting import ReconnectingSource

    camera: Callable[[str], Source]
    if name.kind == "metavision":
        from etram_pipeline.streaming.sources.metavision import MetavisionSource

        camera = MetavisionSource
    else:
        from etram_pipeline.streaming.sources.inivation import InivationSource

        camera = InivationSource
    first = [camera(name.place)]
    return ReconnectingSource(lambda: first.pop() if first else camera(name.place))


def _address(text: str) -> Address:
    try:
        parts = urlsplit(text)
        host, port = parts.hostname, parts.port
    except ValueError:
        host, port = None, None
    if port is None:
        raise SettingsError(f"{text!r} has no port: give an address such as udp://127.0.0.1:7000")
    return Address(host or LOOPBACK, port)
