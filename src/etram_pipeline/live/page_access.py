"""Where the page is served, and which browsers may read it."""

import ipaddress
import socket
from dataclasses import dataclass
from urllib.parse import urlsplit

from etram_pipeline.core.errors import SettingsError

LOOPBACK = "127.0.0.1"
_LARGEST_PORT = 2**16 - 1


@dataclass(frozen=True)
class Address:
    """Where a server listens.

    Attributes:
        host: Name or address of this computer.
        port: Port; 0 for any that is free.
    """

    host: str
    port: int

    @property
    def is_loopback(self) -> bool:
        """Whether programs of this computer alone can connect."""
        return self.host == "localhost" or _is_loopback(self.host)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


def parse_address(text: str) -> Address:
    """Where to listen, from `PORT` (of this computer alone) or `HOST:PORT`.

    Raises:
        SettingsError: If it is neither.
    """
    host, separator, port = text.rpartition(":")
    is_port = port.isascii() and port.isdigit() and int(port) <= _LARGEST_PORT
    if not is_port or (separator and not host):
        raise SettingsError(
            f"{text!r} is no place for a page: give a port such as 8700, or HOST:PORT"
        )
    return Address(host.removeprefix("[").removesuffix("]") or LOOPBACK, int(port))


def may_read(host: str | None, origin: str | None) -> bool:
    """Whether a browser may read the page, by what it says about where it got the address from.

    A page of another site must not connect to it (its `Origin` differs), nor may a name of a
    foreign domain be made to point here (its `Host` is neither an address nor a name of this
    computer).

    Args:
        host: Header `Host`.
        origin: Header `Origin`; None from programs that are no browsers, and for the page itself.
    """
    name = _name_of(f"//{host}")
    if host is None or name is None or not (_is_address(name) or name in _own_names()):
        return False
    return origin is None or origin == f"http://{host}"


def _name_of(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _is_loopback(name: str) -> bool:
    return _is_address(name) and ipaddress.ip_address(name).is_loopback


def _own_names() -> set[str]:
    name = socket.gethostname().lower()
    return {"localhost", name, f"{name.partition('.')[0]}.local"}
