"""AEDAT4 files: their header, their packets, and what may be wrong with them."""

import logging
import struct
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from tests.events.conftest import HEIGHT, WIDTH, Gather, MakeEvents
from tests.events.formats.aedat4_writer import PACKET_EVENTS, events_table, packet, write_aedat4

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Events
from etram_pipeline.events.recording import open_recording

SIZE = (HEIGHT, WIDTH)
HEADER_START = 18


def header_end(content: bytes) -> int:
    return HEADER_START + int(struct.unpack_from("<I", content, 14)[0])


def append(path: Path, content: bytes) -> int:
    """Add a packet to a recording that was not closed; where it begins."""
    place = path.stat().st_size
    with path.open("ab") as file:
        file.write(content)
    return place


@pytest.mark.parametrize("compression", [None, "lz4", "zstd"])
@pytest.mark.parametrize("is_closed", [True, False])
def test_every_compression_is_read_whether_or_not_the_recording_was_closed(
    compression: str | None,
    is_closed: bool,  # noqa: FBT001  a parameter of the test
    tmp_path: Path,
    make_events: MakeEvents,
    gather: Gather,
) -> None:
    events = make_events(3 * PACKET_EVENTS + 1)
    write_aedat4(tmp_path / "recording", events, SIZE, compression, is_closed=is_closed)

    found = gather(open_recording(tmp_path / "recording"))

    np.testing.assert_array_equal(found.t_us, events.t_us)
    np.testing.assert_array_equal(found.x, events.x)
    np.testing.assert_array_equal(found.y, events.y)
    np.testing.assert_array_equal(found.polarity, events.polarity)


def test_a_large_packet_comes_in_chunks_that_can_be_read_alone(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    events = make_events(700_000)
    path = tmp_path / "recording"
    write_aedat4(path, make_events(0), SIZE, "zstd", is_closed=False)
    append(path, packet(0, events_table(events), "zstd"))
    recording = open_recording(path)

    sizes = [len(part) for part in recording.read()]
    part = gather(recording, 60_000, 60_500)

    assert max(sizes) <= 2**20
    assert sum(sizes) == recording.num_events == 700_000
    wanted = (events.t_us >= 60_000) & (events.t_us < 60_500)
    np.testing.assert_array_equal(part.x, events.x[wanted])


def test_an_incomplete_last_packet_is_ignored_with_a_warning(
    tmp_path: Path, make_events: MakeEvents, gather: Gather, caplog: pytest.LogCaptureFixture
) -> None:
    events = make_events(2 * PACKET_EVENTS)
    path = tmp_path / "recording"
    write_aedat4(path, events, SIZE, None, is_closed=False)
    cut = path.read_bytes()[:-60]
    path.write_bytes(cut)

    with caplog.at_level(logging.WARNING):
        found = gather(open_recording(path))

    np.testing.assert_array_equal(found.t_us, events.t_us[:PACKET_EVENTS])
    assert "are an incomplete packet and are ignored" in caplog.text


def test_packets_without_events_are_passed_over(tmp_path: Path, make_events: MakeEvents) -> None:
    path = tmp_path / "recording"
    write_aedat4(path, make_events(5), SIZE, "lz4", is_closed=False)
    append(path, packet(0, events_table(make_events(0)), "lz4"))

    assert open_recording(path).num_events == 5


def test_without_a_size_the_given_one_counts_or_the_parameter_is_named(
    tmp_path: Path, make_events: MakeEvents
) -> None:
    path = tmp_path / "recording"
    write_aedat4(path, make_events(5), None)

    assert open_recording(path, size=(120, 160)).height == 120
    with pytest.raises(RecordingError, match=r"recording: .*dataset\.height and dataset\.width"):
        open_recording(path)


@pytest.mark.parametrize(
    ("found", "wanted", "description"),
    [
        (b"EVTS", b"FRME", "2 streams, but no event stream"),
        (b"sizeX", b"sizeQ", "a height of 120 and a width of None"),
        (b">160<", b">-16<", "a height of 120 and a width of -16"),
        (b"</dv>", b"</dw>", "ParseError"),
        (b'name="0"', b'name="o"', "invalid literal"),
    ],
)
def test_a_header_that_makes_no_sense_is_refused_with_its_place(
    found: bytes, wanted: bytes, description: str, tmp_path: Path, make_events: MakeEvents
) -> None:
    path = tmp_path / "recording"
    write_aedat4(path, make_events(5), SIZE)
    content = path.read_bytes()
    end = header_end(content)
    assert found in content[:end]
    path.write_bytes(content[:end].replace(found, wanted) + content[end:])

    with pytest.raises(RecordingError, match=rf"recording: the AEDAT4 header .*{description}"):
        open_recording(path)


@pytest.mark.parametrize(
    ("content", "description"),
    [
        (packet(0, b"not a table", "lz4"), "identifier"),
        (struct.pack("<iI", 0, 9) + b"not a lz4", "is damaged"),
        (packet(0, bytes(2**28), "zstd"), "more than 134217728 bytes"),
        (struct.pack("<iI", 7, 1) + b"x", r"of stream 7 begins, but there are only streams \[2, 0"),
        (struct.pack("<iI", 0, 2**31), "a packet of 2147483648 bytes"),
    ],
)
def test_a_damaged_packet_is_named_with_its_place(
    content: bytes, description: str, tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    path = tmp_path / "recording"
    compression = "zstd" if content[8:12] == b"\x28\xb5\x2f\xfd" else "lz4"
    write_aedat4(path, make_events(5), SIZE, compression, is_closed=False)
    place = append(path, content)

    with pytest.raises(RecordingError, match=rf"recording: .* byte {place} .*{description}"):
        gather(open_recording(path))


def test_a_vector_of_more_events_than_the_packet_holds_is_damage(
    tmp_path: Path, make_events: MakeEvents, gather: Gather
) -> None:
    path = tmp_path / "recording"
    events: Events = make_events(5)
    write_aedat4(path, events, SIZE, None, is_closed=False)
    table = bytearray(events_table(events))
    table[24:28] = struct.pack("<I", 2**31)
    place = append(path, packet(0, bytes(table), None))

    with pytest.raises(RecordingError, match=rf"at byte {place} is damaged: .* do not fit"):
        gather(open_recording(path))


def test_arrow_reads_frames_of_the_kind_that_the_files_have() -> None:
    frame = bytes(pa.compress(b"events", codec="lz4"))

    assert frame[:4] == struct.pack("<I", 0x184D2204)
