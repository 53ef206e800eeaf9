"""How events travel over a network, by UDP or TCP.

A packet is a header of 30 bytes and then its events of 13 bytes each, all numbers little-endian.

| bytes | header | |
|---|---|---|
| 0 to 3 | magic | `ETEV` |
| 4 | version | 1 |
| 5 | flags | 1: the stream ends; 2: a new clock begins with this packet |
| 6, 7 | height | rows of the sensor in px; 0: not told |
| 8, 9 | width | columns of the sensor in px; 0: not told |
| 10 to 13 | session | any number that the sender drew when it started |
| 14 to 17 | number | 0, 1, 2, … of the packets of a session; after 2^32 - 1 follows 0 |
| 18 to 21 | events | how many events follow |
| 22 to 29 | until | µs before which all events were sent, signed; the least number: not told |

| bytes | event | |
|---|---|---|
| 0 to 7 | t | µs, signed |
| 8, 9 | x | column |
| 10, 11 | y | row |
| 12 | p | 1: brightness rose; 0: it fell |

A packet without events tells the time in silence. A datagram of UDP is one packet. Over TCP packets
follow each other without gaps.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from secrets import randbits
from typing import Any

import numpy as np
import numpy.typing as npt

from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk, EventTable, read_columns

MAGIC, VERSION = b"ETEV", 1
HEADER = struct.Struct("<4sBBHHIIIq")
EVENT_DTYPE = np.dtype([("t", "<i8"), ("x", "<u2"), ("y", "<u2"), ("p", "u1")])

MOST_EVENTS = (65_507 - HEADER.size) // EVENT_DTYPE.itemsize
"""Events that fit into one datagram."""

NUM_NUMBERS = 2**32
"""After this many packets, their numbers begin anew."""

_ENDS, _NEW_CLOCK = 1, 2
_NOT_TOLD = -(2**63)
_NOWHERE = 2**16 - 1


@dataclass(frozen=True)
class Header:
    """What precedes the events of a packet.

    Attributes:
        size: Height and width of the sensor in px; 0 if not told.
        session: Identifies the sender since it started.
        number: Number of the packet in the session.
        num_events: Events that follow.
        until_us: Time before which all events were sent, in microseconds; None if not told.
        is_end: Whether the stream ends.
        is_new_clock: Whether a new clock begins.
    """

    size: tuple[int, int]
    session: int
    number: int
    num_events: int
    until_us: int | None = None
    is_end: bool = False
    is_new_clock: bool = False

    @property
    def num_bytes(self) -> int:
        """Bytes of the events that follow."""
        return self.num_events * EVENT_DTYPE.itemsize

    def pack(self) -> bytes:
        """The header as it travels."""
        flags = _ENDS * self.is_end + _NEW_CLOCK * self.is_new_clock
        until_us = _NOT_TOLD if self.until_us is None else self.until_us
        numbers = (*self.size, self.session, self.number, self.num_events, until_us)
        return HEADER.pack(MAGIC, VERSION, flags, *numbers)


def unpack_header(data: bytes) -> Header | None:
    """The header at the beginning of a packet; None if this is none of this version."""
    if len(data) < HEADER.size:
        return None
    magic, version, flags, height, width, session, number, num_events, until_us = (
        HEADER.unpack_from(data)
    )
    if magic != MAGIC or version != VERSION:
        return None
    return Header(
        (height, width),
        session,
        number,
        num_events,
        until_us=None if until_us == _NOT_TOLD else until_us,
        is_end=bool(flags & _ENDS),
        is_new_clock=bool(flags & _NEW_CLOCK),
    )


def chunks_of(header: Header, content: bytes) -> Iterator[Chunk]:
    """What a packet tells, as chunks of a stream."""
    if header.is_new_clock:
        yield NEW_CLOCK
    if header.num_events:
        events = np.frombuffer(content, EVENT_DTYPE, header.num_events).copy()
        events["p"] = events["p"] > 0
        yield events
    if header.until_us is not None:
        yield header.until_us


def packets_of(
    chunks: Iterable[Chunk], size: tuple[int, int] | None, most_events: int
) -> Iterator[bytes]:
    """The packets that tell the chunks of a stream, and its end.

    Args:
        chunks: The stream.
        size: Height and width of the sensor in px; None: receivers must know them.
        most_events: Events per packet.

    Raises:
        ValueError: If a packet cannot hold so many events, or a chunk is none.
    """
    if not 1 <= most_events <= MOST_EVENTS:
        raise ValueError(
            f"a packet has from 1 to {MOST_EVENTS} events; most_events is {most_events}"
        )
    number, session = 0, randbits(32)

    def packet(events: npt.NDArray[Any] = _NO_EVENTS, **told: Any) -> bytes:  # noqa: ANN401
        nonlocal number
        header = Header(size or (0, 0), session, number, len(events), **told)
        number = (number + 1) % NUM_NUMBERS
        return header.pack() + events.tobytes()

    for chunk in chunks:
        if isinstance(chunk, str):
            yield packet(is_new_clock=True)
        elif isinstance(chunk, int | np.integer):
            yield packet(until_us=int(chunk))
        else:
            events = _as_events(chunk)
            for first in range(0, len(events), most_events):
                yield packet(events[first : first + most_events])
    yield packet(is_end=True)


_NO_EVENTS = np.empty(0, EVENT_DTYPE)


def _as_events(chunk: Any) -> EventTable:  # noqa: ANN401
    columns = read_columns(chunk)
    events = np.empty(len(columns.t_us), EVENT_DTYPE)
    events["t"], events["p"] = columns.t_us, columns.polarity > 0
    for name, values in (("x", columns.x), ("y", columns.y)):
        # What 16 bits cannot hold is outside any sensor, and must not wrap into it.
        fits = (values >= 0) & (values < _NOWHERE)
        events[name] = np.where(fits, values, _NOWHERE)
    return events
