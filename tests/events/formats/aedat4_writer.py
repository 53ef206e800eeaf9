"""Writes AEDAT4 files byte by byte; shares nothing with the reader.

Source: neuromorphicsystems/aedat, flatbuffers/ioheader.fbs and events.fbs.
"""

import struct
from pathlib import Path

import numpy as np
import pyarrow as pa

from etram_pipeline.core.recording import Events

PACKET_EVENTS = 700
COMPRESSIONS = {None: 0, "lz4": 1, "zstd": 3}
_EVENT = np.dtype([("t", "<i8"), ("x", "<i2"), ("y", "<i2"), ("on", "u1"), ("unused", "V3")])


def write_aedat4(
    path: Path,
    events: Events,
    size: tuple[int, int] | None,
    compression: str | None = "lz4",
    *,
    is_closed: bool = True,
) -> None:
    """A recording of packets of events, with packets of another stream between them.

    `is_closed` is False for a recording that was interrupted before it knew where it ends.
    """
    packets = b"".join(
        packet(0, events_table(events.slice(first, first + PACKET_EVENTS)), compression)
        + packet(2, vector_table(b"IMUS", 0, b""), compression)
        for first in range(0, len(events), PACKET_EVENTS)
    )
    header = header_table(size, compression, data_end=0)
    data_end = 18 + len(header) + len(packets)
    header = header_table(size, compression, data_end if is_closed else -1)
    rest = b"a table of packets" if is_closed else b""
    prefix = b"#!AER-DAT4.0\r\n" + struct.pack("<I", len(header))
    path.write_bytes(prefix + header + packets + rest)


def packet(stream: int, content: bytes, compression: str | None) -> bytes:
    """A packet with the size of its content in front of it."""
    content = struct.pack("<I", len(content)) + content
    if compression is not None:
        content = bytes(pa.compress(content, codec=compression))
    return struct.pack("<iI", stream, len(content)) + content


def events_table(events: Events) -> bytes:
    """A table whose only field is the vector of events."""
    rows = np.zeros(len(events), _EVENT)
    rows["t"], rows["x"], rows["y"], rows["on"] = (
        events.t_us,
        events.x,
        events.y,
        events.polarity,
    )
    return vector_table(b"EVTS", len(rows), rows.tobytes())


def vector_table(identifier: bytes, num_items: int, items: bytes) -> bytes:
    """A table whose only field is a vector."""
    root_and_fields = struct.pack("<I4sHHHH", 16, identifier, 6, 8, 4, 0)
    table = struct.pack("<iI", 8, 4)  # fields 8 bytes before it, the vector 4 after the field
    return root_and_fields + table + struct.pack("<I", num_items) + items


def header_table(size: tuple[int, int] | None, compression: str | None, data_end: int) -> bytes:
    """A table of compression, end of the packets and description."""
    info = (
        ""
        if size is None
        else f'<node name="info">{_side("X", size[1])}{_side("Y", size[0])}</node>'
    )
    description = (
        '<dv version="2.0"><node name="outInfo">'
        f'<node name="2"><attr key="typeIdentifier" type="string">IMUS</attr></node>'
        f'<node name="0"><attr key="typeIdentifier" type="string">EVTS</attr>{info}</node>'
        "</node></dv>"
    ).encode()
    root_and_fields = struct.pack("<I4sHHHHHH", 20, b"IOHE", 10, 20, 4, 8, 16, 0)
    table = struct.pack("<iiqI", 12, COMPRESSIONS[compression], data_end, 4)
    return root_and_fields + table + struct.pack("<I", len(description)) + description


def _side(axis: str, value: int) -> str:
    return f'<attr key="size{axis}" type="int">{value}</attr>'
