"""Tables of FlatBuffers, worked out by hand."""

import struct

import pytest

from etram_pipeline.events.formats.flatbuffer import FlatBufferError, FlatBufferTable

# Fields 0 (a number), 1 (not there), 2 (a vector); the list of them follows the table.
TABLE = struct.pack("<IiiI", 4, -12, 7, 16) + struct.pack("<5H2x", 10, 12, 4, 0, 8)
VECTOR = struct.pack("<I4B", 4, 9, 8, 7, 6)
BUFFER = memoryview(TABLE + VECTOR)


def test_a_field_is_found_through_the_list_of_fields() -> None:
    table = FlatBufferTable(BUFFER)

    assert table.number(0, "<i", default=1) == 7
    assert bytes(table.vector(2, item_bytes=1)) == bytes([9, 8, 7, 6])


@pytest.mark.parametrize("field", [1, 3, 500])
def test_a_field_that_is_not_there_has_its_default(field: int) -> None:
    assert FlatBufferTable(BUFFER).number(field, "<i", default=5) == 5
    assert bytes(FlatBufferTable(BUFFER).vector(field, item_bytes=8)) == b""


def test_a_vector_longer_than_the_buffer_is_refused() -> None:
    with pytest.raises(FlatBufferError, match="8 bytes from byte 32 on do not fit into 36"):
        FlatBufferTable(BUFFER).vector(2, item_bytes=2)


@pytest.mark.parametrize("length", range(len(BUFFER)))
def test_a_buffer_cut_off_anywhere_is_refused(length: int) -> None:
    with pytest.raises(FlatBufferError, match=r"lies outside|do not fit"):
        FlatBufferTable(BUFFER[:length]).vector(2, item_bytes=1)


@pytest.mark.parametrize("place", range(len(BUFFER)))
@pytest.mark.parametrize("value", [0, 1, 0x7F, 0x80, 0xFF])
def test_no_place_outside_the_buffer_is_ever_read(place: int, value: int) -> None:
    damaged = bytearray(BUFFER)
    damaged[place] = value
    try:
        table = FlatBufferTable(memoryview(damaged))
        assert len(table.vector(2, item_bytes=1)) <= len(BUFFER)
        assert isinstance(table.number(0, "<q", default=0), int)
    except FlatBufferError as error:
        assert "byte" in str(error)  # noqa: PT017  both outcomes are right
