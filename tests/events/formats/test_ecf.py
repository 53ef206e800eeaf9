"""Chunks of ECF, round trips and damage."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.events.formats.ecf_writer import PACKINGS, encode_chunk

from etram_pipeline.core.recording import Events
from etram_pipeline.events.formats.ecf import decode_chunk
from etram_pipeline.events.formats.encoding import EventArrays, allocate

ROOM, MARGIN = 4096, 64
UNTOUCHED = 77


def events_of(t: list[int], x: list[int], y: list[int], p: list[int]) -> Events:
    return Events(
        x=np.array(x, np.uint16),
        y=np.array(y, np.uint16),
        t_us=np.array(t, np.int64),
        polarity=np.array(p, np.uint8),
    )


def decode(chunk: bytes) -> tuple[int, EventArrays]:
    """The result, and the arrays; nothing beyond their room may have been written."""
    around = allocate(ROOM + 2 * MARGIN)
    for array in around:
        array[:] = UNTOUCHED
    x, y, t, p = (array[MARGIN:-MARGIN] for array in around)
    found = decode_chunk(np.frombuffer(chunk, np.uint8), (x, y, t, p))
    for array in around:
        assert (array[:MARGIN] == UNTOUCHED).all()
        assert (array[-MARGIN:] == UNTOUCHED).all()
    return found, (x, y, t, p)


def assert_round_trip(events: Events, packing: str) -> None:
    found, arrays = decode(encode_chunk(events, packing))
    assert found == len(events)
    wanted = (events.x, events.y, events.t_us, events.polarity)
    for array, column in zip(arrays, wanted, strict=True):
        np.testing.assert_array_equal(array[:found], column)


def random_events(seed: int, num: int = 1500) -> Events:
    """Events in bursts, so that every kind of run and step occurs."""
    rng = np.random.default_rng(seed)
    steps = rng.choice([0, 1, 14, 15, 16, 300, 10**6, 2**40], num, p=[0.7, 0.2, *[0.1 / 6] * 6])
    rows = np.repeat(rng.integers(0, 2048, num), rng.integers(1, 50, num))[:num]
    return Events(
        x=(np.cumsum(rng.integers(0, 4, num)) % 2048).astype(np.uint16),
        y=rows.astype(np.uint16),
        t_us=np.cumsum(steps),
        polarity=np.repeat(rng.integers(0, 2, num), rng.integers(1, 300, num))[:num].astype(
            np.uint8
        ),
    )


@pytest.mark.parametrize("packing", PACKINGS)
@pytest.mark.parametrize("seed", range(5))
def test_a_chunk_gives_back_the_events_written(packing: str, seed: int) -> None:
    assert_round_trip(random_events(seed, 1500 + seed), packing)


@pytest.mark.parametrize("packing", PACKINGS)
@given(
    rows=st.lists(
        st.tuples(
            st.integers(0, 40), st.integers(0, 2047), st.integers(0, 2047), st.integers(0, 1)
        ),
        min_size=1,
        max_size=300,
    )
)
@settings(max_examples=60, deadline=None)
def test_any_events_come_back(packing: str, rows: list[tuple[int, int, int, int]]) -> None:
    steps, x, y, p = (list(column) for column in zip(*rows, strict=True))
    assert_round_trip(events_of(np.cumsum(steps).tolist(), x, y, p), packing)


def test_a_chunk_worked_out_by_hand() -> None:
    header = [3 << 2, 0, 0, 0, 100, 0, 0, 0, 0, 0, 0, 0]
    times = [0x01, 0xF4, 0xF1, 0x22]  # one at 100, two at 100 + 0x14 + 2
    rows = [5 << 5 & 0xFF | 3, 5 >> 3]
    columns = [(9 << 5 | 0b10001) & 0xFF, 9 >> 3]  # 9, 10 and 14
    polarities = [0x81, 0x02]

    found, (x, y, t, p) = decode(bytes(header + times + rows + columns + polarities))

    assert found == 3
    assert t[:3].tolist() == [100, 122, 122]
    assert y[:3].tolist() == [5, 5, 5]
    assert x[:3].tolist() == [9, 10, 14]
    assert p[:3].tolist() == [1, 0, 0]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_chunk_cut_off_anywhere_is_damaged(packing: str) -> None:
    chunk = encode_chunk(random_events(3, 200), packing)

    assert all(decode(chunk[:length])[0] == -1 for length in range(len(chunk)))


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_damaged_chunk_never_writes_beyond_its_events(packing: str) -> None:
    chunk = np.frombuffer(encode_chunk(random_events(4), packing), np.uint8)
    rng = np.random.default_rng(5)

    for trial in range(500):
        damaged = chunk.copy()
        places = rng.integers(0, 40 if trial % 2 else len(chunk), 3)
        damaged[places] = rng.integers(0, 256, 3)
        assert -1 <= decode(damaged.tobytes())[0] <= ROOM


def test_more_events_than_there_is_room_for_are_damage() -> None:
    chunk = bytearray(encode_chunk(random_events(6), "places"))
    chunk[:4] = ((ROOM + 1) << 2 | 2).to_bytes(4, "little")
    assert decode(bytes(chunk) + bytes(20_000))[0] == -1
    chunk[:4] = b"\xff" * 4
    assert decode(bytes(chunk))[0] == -1


def test_noise_is_never_read_beyond_its_end() -> None:
    rng = np.random.default_rng(7)
    for length in range(400):
        noise = rng.integers(0, 256, length, np.uint8)
        noise[1:4] = 0
        assert -1 <= decode(noise.tobytes())[0] <= 63
