"""Packets of events, and their numbers."""

import itertools
from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.streaming.moving import HEIGHT, WIDTH, moving
from tests.streaming.streams import EVENT

from etram_pipeline.streaming.chunks import NEW_CLOCK, Chunk
from etram_pipeline.streaming.sources import SourceCounts
from etram_pipeline.streaming.sources.numbering import Numbering
from etram_pipeline.streaming.sources.wire import (
    EVENT_DTYPE,
    HEADER,
    Header,
    chunks_of,
    packets_of,
    unpack_header,
)

SIZE = (HEIGHT, WIDTH)


def test_packets_are_as_they_are_documented() -> None:
    events = np.zeros(2, EVENT)
    events["t"], events["x"], events["y"], events["p"] = [-5, 2**40], [1, 300], [2, 3], [-1, 1]

    packet, end = packets_of([events], (720, 1280), 10)

    session = packet[10:14]
    assert packet[:10] == b"ETEV\x01\x00\xd0\x02\x00\x05"
    assert packet[14:22] == b"\0\0\0\0\x02\0\0\0"
    assert packet[22:30] == b"\0" * 7 + b"\x80"
    assert packet[30:43] == b"\xfb" + b"\xff" * 7 + b"\x01\0\x02\0\0"
    assert packet[43:] == b"\0\0\0\0\0\x01\0\0" + b"\x2c\x01\x03\0\x01"
    assert end[5:6] == b"\x01"
    assert (end[10:14], end[14:18]) == (session, b"\x01\0\0\0")


def test_what_16_bits_cannot_hold_stays_outside_the_sensor() -> None:
    events = np.zeros(3, [("t", "<i8"), ("x", "<i4"), ("y", "<i4"), ("p", "u1")])
    events["x"], events["y"] = [-1, 65_540, 5], [0, 70_000, -7]

    packet, _ = packets_of([events], None, 10)

    sent = np.frombuffer(packet, EVENT_DTYPE, offset=HEADER.size)
    assert sent["x"].tolist() == [65_535, 65_535, 5]
    assert sent["y"].tolist() == [0, 65_535, 65_535]


@pytest.mark.parametrize("number", [0, 5037])
def test_a_packet_holds_a_number_of_events(number: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 5036 events"):
        list(packets_of([], None, number))


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda tail: b"ETEV\x01" + tail))
def test_no_bytes_break_the_header(data: bytes) -> None:
    header = unpack_header(data)

    if header is not None:
        assert header.pack()[6:30] == data[6:30]


def test_numbers_begin_anew_after_the_last() -> None:
    counts = SourceCounts()
    numbering = Numbering(counts)

    for number in (2**32 - 2, 0, 2**32 - 1, 1):
        assert numbering.accept(7, number, may_change=False)

    assert (counts.packets, counts.lost, counts.reordered) == (4, 0, 1)


@settings(max_examples=50)
@given(st.lists(st.integers(0, 40), max_size=60))
def test_packets_are_counted_once(numbers: list[int]) -> None:
    counts = SourceCounts()
    numbering = Numbering(counts)

    accepted = [number for number in numbers if numbering.accept(1, number, may_change=False)]

    assert len(set(accepted)) == len(accepted) == counts.packets
    assert counts.packets + counts.repeated == len(numbers)
    if accepted:
        assert counts.lost == max(accepted) - accepted[0] + 1 - len(
            [number for number in accepted if number >= accepted[0]]
        )


def test_a_far_gap_takes_no_memory() -> None:
    counts = SourceCounts()
    numbering = Numbering(counts)
    numbering.accept(1, 0, may_change=False)

    assert numbering.accept(1, 2**31 - 1, may_change=False)
    assert counts.lost == 2**31 - 2
    assert numbering.accept(1, 2**31 - 2, may_change=False)
    assert not numbering.accept(1, 5, may_change=False)


def test_a_packet_tells_all_it_knows() -> None:
    header = Header(SIZE, 1, 2, 1, until_us=77, is_new_clock=True)
    content = np.zeros(1, EVENT_DTYPE)
    content["p"] = 200

    clock, events, until_us = chunks_of(header, content.tobytes())

    assert (clock, until_us) == (NEW_CLOCK, 77)
    assert isinstance(events, np.ndarray)
    assert events["p"].tolist() == [1]
    assert unpack_header(header.pack()) == header


def test_packets_have_numbers_in_turn() -> None:
    def chunks() -> Iterator[Chunk]:
        yield moving(20_000)
        yield 5

    headers = [unpack_header(packet) for packet in packets_of(itertools.chain(chunks()), None, 150)]

    assert [header.number for header in headers if header is not None] == [0, 1, 2, 3, 4]
    assert len({header.session for header in headers if header is not None}) == 1
