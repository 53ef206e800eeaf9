"""AEDAT4 recordings of iniVation's cameras: packets of several streams, each compressed.

Source: iniVation, "AEDAT 4.0", docs.inivation.com; the tables of the packets as in
neuromorphicsystems/aedat, flatbuffers/.
"""

import logging
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar, NamedTuple
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from typing_extensions import override

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.cleaning import Columns
from etram_pipeline.events.formats.flatbuffer import FlatBufferError, FlatBufferTable
from etram_pipeline.events.formats.indexed import Block, IndexedRecording
from etram_pipeline.events.formats.sensor_size import known_size, stated_size

logger = logging.getLogger(__name__)

SIGNATURE = b"#!AER-DAT4.0\r\n"

_LARGEST_HEADER_BYTES = 2**24
_LARGEST_PACKET_BYTES = 2**27
_READ_BYTES = 2**20
_MOST_BLOCK_EVENTS = 2**18
_COMPRESSIONS = {0: None, 1: "lz4", 2: "lz4", 3: "zstd", 4: "zstd"}
_EVENT = np.dtype(
    {
        "names": ["t_us", "x", "y", "polarity"],
        "formats": ["<i8", "<i2", "<i2", "u1"],
        "offsets": [0, 8, 10, 12],
        "itemsize": 16,
    }
)
_HEADER_LENGTH = struct.Struct("<I")
_PACKET = struct.Struct("<iI")
_EVENTS = "EVTS"


class _Packet(NamedTuple):
    """Position of a packet in the file, the position after it, and its content."""

    position: int
    end: int
    content: bytes


class Aedat4Recording(IndexedRecording):
    """The first event stream of an AEDAT4 file.

    Times are those of the camera's clock, which counts from 1970.
    """

    stored_name: ClassVar[str] = "Aedat4Recording"

    def __init__(self, path: Path, size: tuple[int, int] | None) -> None:
        self._header = _read_header(path)
        super().__init__(path, start=(self._header.end, 0))
        self.height, self.width = known_size(path, self._header.size, size)

    @override
    def _decode(self, block: int, state: tuple[int, ...]) -> Iterator[Block]:
        position, num_done = state
        for packet in self._packets(position):
            events = self._events(packet)
            for first in range(num_done, len(events), _MOST_BLOCK_EVENTS):
                part = events[first : first + _MOST_BLOCK_EVENTS]
                rest = (packet.position, first + len(part))
                yield Block(_columns(part), rest if rest[1] < len(events) else (packet.end, 0))
            num_done = 0

    def _packets(self, position: int) -> Iterator[_Packet]:
        """Packets of the event stream from a position on; an incomplete last packet is ignored."""
        data_end = self._header.data_end
        try:
            with self.path.open("rb") as file:
                while position + _PACKET.size <= data_end:
                    file.seek(position)
                    stream, num_bytes = _PACKET.unpack(file.read(_PACKET.size))
                    end = position + _PACKET.size + num_bytes
                    self._check_packet(position, stream, num_bytes)
                    if end > data_end:
                        break
                    if stream == self._header.events_stream:
                        yield _Packet(position, end, file.read(num_bytes))
                    position = end
        except (OSError, struct.error) as error:
            raise RecordingError(f"{self.path}: cannot be read: {error}") from error
        self.num_bytes_ignored = max(data_end - position, 0)
        if self.num_bytes_ignored:
            logger.warning(
                "%s: the last %d bytes are an incomplete packet and are ignored; was the recording "
                "cut off?",
                self.path,
                self.num_bytes_ignored,
            )

    def _check_packet(self, position: int, stream: int, num_bytes: int) -> None:
        if stream not in self._header.streams or num_bytes > _LARGEST_PACKET_BYTES:
            raise RecordingError(
                f"{self.path}: at byte {position} a packet of {num_bytes} bytes of stream {stream} "
                f"begins, but there are only streams {self._header.streams} and packets of up to "
                f"{_LARGEST_PACKET_BYTES} bytes: the file is damaged; fetch it again"
            )

    def _events(self, packet: _Packet) -> npt.NDArray[Any]:
        try:
            content = memoryview(self._decompress(packet))
            identifier = bytes(content[8:12])
            if identifier != _EVENTS.encode():
                raise FlatBufferError(f"its identifier is {identifier!r}, not {_EVENTS}")  # noqa: TRY301  one message for all damage
            return np.frombuffer(FlatBufferTable(content[4:]).vector(0, _EVENT.itemsize), _EVENT)
        except (OSError, FlatBufferError, pa.ArrowException) as error:
            raise RecordingError(
                f"{self.path}: the packet of events at byte {packet.position} is damaged: {error}; "
                "fetch the file again"
            ) from error

    def _decompress(self, packet: _Packet) -> bytes:
        if self._header.compression is None:
            return packet.content
        with pa.CompressedInputStream(
            pa.BufferReader(packet.content), self._header.compression
        ) as stream:
            parts: list[bytes] = []
            while part := stream.read(_READ_BYTES):
                parts.append(part)
                if len(parts) * _READ_BYTES > _LARGEST_PACKET_BYTES:
                    raise FlatBufferError(f"it holds more than {_LARGEST_PACKET_BYTES} bytes")
        return b"".join(parts)


class _Header(NamedTuple):
    """Header of an AEDAT4 file.

    Attributes:
        end: Byte at which the header ends and the packets begin.
        data_end: Byte at which the packets end, or the file if it was cut off.
        compression: Arrow's name of the compression of each packet; None without compression.
        streams: Numbers of all streams.
        events_stream: Number of the first event stream.
        size: Height and width of its sensor in px; None if the file does not state them.
    """

    end: int
    data_end: int
    compression: str | None
    streams: list[int]
    events_stream: int
    size: tuple[int, int] | None


def _read_header(path: Path) -> _Header:
    with path.open("rb") as file:
        prefix = file.read(len(SIGNATURE) + _HEADER_LENGTH.size)
        num_bytes = int.from_bytes(prefix[len(SIGNATURE) :], "little")
        content = memoryview(file.read(min(num_bytes, _LARGEST_HEADER_BYTES)))
    end = len(prefix) + len(content)
    try:
        table = FlatBufferTable(content)
        compression = _COMPRESSIONS[table.number(0, "<i", 0)]
        data_end = table.number(1, "<q", -1)
        streams, events_stream, size = _describe(path, bytes(table.vector(2, 1)))
    except RecordingError:
        raise
    except (ValueError, KeyError, TypeError, ElementTree.ParseError) as error:
        raise RecordingError(
            f"{path}: the AEDAT4 header of {num_bytes} bytes after byte {len(SIGNATURE)} cannot be "
            f"read: {type(error).__name__}: {error}; fetch the file again"
        ) from error
    num_file_bytes = path.stat().st_size
    data_end = data_end if end <= data_end <= num_file_bytes else num_file_bytes
    return _Header(end, data_end, compression, streams, events_stream, size)


def _describe(path: Path, document: bytes) -> tuple[list[int], int, tuple[int, int] | None]:
    """All streams, the first event stream, and the size of its sensor."""
    nodes = ElementTree.fromstring(document).findall("node[@name='outInfo']/node")
    streams = [int(node.attrib["name"]) for node in nodes]
    for stream, node in zip(streams, nodes, strict=True):
        if node.findtext("attr[@key='typeIdentifier']") == _EVENTS:
            return streams, stream, _sensor_size(path, node)
    raise ValueError(f"it lists {len(streams)} streams, but no event stream")


def _sensor_size(path: Path, node: ElementTree.Element) -> tuple[int, int] | None:
    info = "node[@name='info']/attr[@key='{}']"
    height, width = (node.findtext(info.format(name)) for name in ("sizeY", "sizeX"))
    return stated_size(path, "the AEDAT4 header", height, width)


def _columns(events: npt.NDArray[Any]) -> Columns:
    x, y, t_us = (np.ascontiguousarray(events[name]) for name in ("x", "y", "t_us"))
    return Columns(x, y, t_us, (events["polarity"] != 0).astype(np.uint8))
