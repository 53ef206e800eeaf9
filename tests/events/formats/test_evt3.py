"""EVT3 words and the events they hold, worked out by hand."""

import numpy as np
import pytest
from tests.events.conftest import decode_words

from etram_pipeline.events.formats.evt3 import ENCODING

LOOP_US = 1 << 24


def time_high(high: int) -> int:
    return 0x8000 | high


def time_low(low: int) -> int:
    return 0x6000 | low


def address_x(x: int, polarity: int = 0) -> int:
    return 0x2000 | polarity << 11 | x


def vector_base(x: int, polarity: int = 0) -> int:
    return 0x3000 | polarity << 11 | x


def vector_12(valid: int) -> int:
    return 0x4000 | valid


def vector_8(valid: int) -> int:
    return 0x5000 | valid


START = [time_high(0), time_low(0), 50]


def decode(*stretches: list[int]) -> list[tuple[int, ...]]:
    return decode_words(ENCODING, *stretches)


def test_an_event_takes_time_and_row_from_the_words_before_it() -> None:
    words = [time_high(2), time_low(7), 40, address_x(30, 1), address_x(31), 41, address_x(5, 1)]

    time_us = 2 * 4096 + 7
    assert decode(words) == [(time_us, 30, 40, 1), (time_us, 31, 40, 0), (time_us, 5, 41, 1)]


def test_a_vector_of_32_holds_an_event_for_each_bit_from_its_base_on() -> None:
    words = [*START, vector_base(100, 1), vector_12(0x801), vector_12(0x002), vector_8(0x81)]

    assert decode(words) == [(0, x, 50, 1) for x in (100, 111, 113, 124, 131)]


def test_the_bits_of_a_short_vector_above_its_width_are_no_events() -> None:
    assert decode([*START, vector_base(0), 0x5000 | 0xF01]) == [(0, 0, 50, 0)]


def test_an_empty_vector_still_moves_the_base() -> None:
    words = [*START, vector_base(10), vector_12(0), vector_8(0), vector_12(1)]

    assert decode(words) == [(0, 30, 50, 0)]


def test_a_base_that_runs_away_never_comes_back_into_the_sensor() -> None:
    events = decode([*START, vector_base(0), *[vector_12(0xFFF)] * 12_000])

    coordinates = np.array([event[1] for event in events])
    assert len(events) == 12 * 12_000
    assert (np.diff(coordinates)[: 4096 - 12] == 1).all()
    assert coordinates[4096:].min() >= 4096


def test_new_high_bits_restart_the_low_bits_but_repeated_ones_do_not() -> None:
    words = [time_high(1), time_low(9), 0, address_x(1), time_high(1), address_x(2), time_high(2)]

    found = decode([*words, address_x(3)])

    assert [event[0] for event in found] == [4096 + 9, 4096 + 9, 2 * 4096]


def test_the_counter_of_24_bits_beginning_anew_goes_on_in_time() -> None:
    words = [time_high(4095), time_low(4095), 0, address_x(0)]
    for _ in range(3):
        words += [time_high(0), address_x(1), time_high(4095), time_low(4095), address_x(2)]

    times_us = [event[0] for event in decode(words)]

    wanted = [LOOP_US - 1]
    for loop in (1, 2, 3):
        wanted += [loop * LOOP_US, (loop + 1) * LOOP_US - 1]
    assert times_us == wanted


@pytest.mark.parametrize(
    ("before", "after", "loops"), [(2047, 0, 0), (2048, 0, 1), (4000, 1953, 0)]
)
def test_only_a_decrease_by_half_the_counter_is_a_new_loop(
    before: int, after: int, loops: int
) -> None:
    found = decode([time_high(before), time_high(after), 0, address_x(0)])

    assert found[0][0] == after * 4096 + loops * LOOP_US


def test_words_before_the_first_time_hold_no_events() -> None:
    words = [9, address_x(1), vector_base(3), vector_12(0xFFF), time_low(8), time_high(1)]

    assert decode([*words, address_x(2)]) == []
    assert decode([*words, 9, address_x(2)]) == [(4096, 2, 9, 0)]


def test_rows_of_monitoring_events_make_no_events() -> None:
    monitoring_y = 0x1000 | 7
    words = [*START, monitoring_y, address_x(1), vector_base(3), vector_12(1), 8, address_x(2)]

    assert decode(words) == [(0, 2, 8, 0)]


@pytest.mark.parametrize("kind", [0x7, 0x9, 0xA, 0xB, 0xC, 0xD, 0xE, 0xF])
def test_words_of_other_kinds_change_nothing(kind: int) -> None:
    assert decode([*START, kind << 12 | 0xABC, address_x(2)]) == [(0, 2, 50, 0)]


def test_where_the_stream_is_cut_into_stretches_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    words = [time_high(7), *rng.integers(0, 2**16, 200).tolist()]
    whole = decode(words)

    assert len(whole) > 20
    for cut in range(len(words)):
        assert decode(words[:cut], words[cut:]) == whole


def test_vectors_begin_where_the_last_word_left_off() -> None:
    first = [0x8000, 0x6001, 0x0000, 0x2000, 0x300A, 0x4001, 0x4000, 0x80FF, 0x2001]
    second = [0x8000, 0x6001, 0x0000, 0x2000, 0x300A, 0x4001, 0x6002, 0x4001, 0x5001]

    assert [(x, y, p, t) for t, x, y, p in decode_words(ENCODING, first)] == [
        (0, 0, 0, 1),
        (10, 0, 0, 1),
        (1, 0, 0, 1_044_480),
    ]
    assert [(x, t) for t, x, _, _ in decode_words(ENCODING, second)] == [
        (0, 1),
        (10, 1),
        (22, 2),
        (34, 2),
    ]
