"""EVT2.1 words and the events they hold, worked out by hand."""

import numpy as np
import pytest
from tests.events.conftest import decode_words

from etram_pipeline.events.formats.evt21 import LEGACY, LITTLE

LOOP_US = 1 << 34
HIGHEST = (1 << 28) - 1


def time_high(high: int) -> int:
    return (8 << 28 | high) << 32


def vector(x: int, y: int, valid: int, polarity: int = 0, low: int = 0) -> int:
    return (polarity << 28 | low << 22 | x << 11 | y) << 32 | valid


def decode(*stretches: list[int]) -> list[tuple[int, ...]]:
    return decode_words(LITTLE, *stretches)


def test_a_word_holds_an_event_for_each_valid_bit_from_its_column_on() -> None:
    words = [time_high(3), vector(100, 20, 0x8000_0101, polarity=1, low=63)]

    assert decode(words) == [(3 * 64 + 63, x, 20, 1) for x in (100, 108, 131)]


def test_a_word_may_be_full_or_empty() -> None:
    words = [time_high(0), vector(2047, 2046, 0xFFFF_FFFF), vector(5, 5, 0)]

    assert decode(words) == [(0, 2047 + place, 2046, 0) for place in range(32)]


@pytest.mark.parametrize("place", range(32))
def test_every_bit_is_told_apart(place: int) -> None:
    assert decode([time_high(0), vector(0, 0, 1 << place)]) == [(0, place, 0, 0)]


def test_words_with_swapped_halves_hold_the_same_events() -> None:
    words = [time_high(3), vector(100, 20, 0x8000_0101, polarity=1, low=63), vector(1, 2, 3)]
    swapped = [word >> 32 | (word & 0xFFFF_FFFF) << 32 for word in words]

    assert decode_words(LEGACY, swapped) == decode(words)


def test_the_counter_of_34_bits_beginning_anew_goes_on_in_time() -> None:
    words = [time_high(HIGHEST), vector(0, 0, 1, low=63)]
    for _ in range(2):
        words += [time_high(0), vector(1, 1, 1), time_high(HIGHEST), vector(2, 2, 1)]

    times_us = [found[0] for found in decode(words)]

    assert times_us == [LOOP_US - 1, LOOP_US, 2 * LOOP_US - 64, 2 * LOOP_US, 3 * LOOP_US - 64]


def test_words_before_the_first_time_hold_no_events() -> None:
    words = [vector(1, 1, 0xFFFF_FFFF), time_high(1), vector(2, 2, 1)]

    assert decode(words) == [(64, 2, 2, 0)]


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6, 7, 9, 0xA, 0xE, 0xF])
def test_words_of_other_kinds_change_nothing(kind: int) -> None:
    words = [time_high(1), kind << 60 | 0xABCDEF_FFFFFFFF, vector(2, 2, 1)]

    assert decode(words) == [(64, 2, 2, 0)]


def test_where_the_stream_is_cut_into_stretches_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    words = [time_high(7), *rng.integers(0, 2**64, 200, np.uint64).tolist()]
    whole = decode(words)

    assert len(whole) > 200
    for cut in range(len(words)):
        assert decode(words[:cut], words[cut:]) == whole
