"""EVT2 words and the events they hold, worked out by hand."""

import numpy as np
import pytest
from tests.events.conftest import decode_words

from etram_pipeline.events.formats.evt2 import ENCODING

LOOP_US = 1 << 34
HIGHEST = (1 << 28) - 1


def time_high(high: int) -> int:
    return 8 << 28 | high


def event(x: int, y: int, polarity: int = 0, low: int = 0) -> int:
    return polarity << 28 | low << 22 | x << 11 | y


def decode(*stretches: list[int]) -> list[tuple[int, ...]]:
    return decode_words(ENCODING, *stretches)


def test_an_event_adds_six_low_bits_to_the_time_before_it() -> None:
    words = [time_high(3), event(10, 20, 1, low=63), event(2047, 2046), time_high(4), event(1, 2)]

    assert decode(words) == [(3 * 64 + 63, 10, 20, 1), (192, 2047, 2046, 0), (256, 1, 2, 0)]


def test_the_counter_of_34_bits_beginning_anew_goes_on_in_time() -> None:
    words = [time_high(HIGHEST), event(0, 0, low=63)]
    for _ in range(2):
        words += [time_high(0), event(1, 1), time_high(HIGHEST), event(2, 2)]

    times_us = [found[0] for found in decode(words)]

    assert times_us == [LOOP_US - 1, LOOP_US, 2 * LOOP_US - 64, 2 * LOOP_US, 3 * LOOP_US - 64]


@pytest.mark.parametrize(("after", "loops"), [(0, 1), (156, 1), (157, 0), (HIGHEST - 1, 0)])
def test_only_a_decrease_by_nearly_the_whole_counter_is_a_new_loop(after: int, loops: int) -> None:
    found = decode([time_high(HIGHEST), time_high(after), event(0, 0)])

    assert found[0][0] == after * 64 + loops * LOOP_US


def test_words_before_the_first_time_hold_no_events() -> None:
    assert decode([event(1, 1, 1), time_high(1), event(2, 2)]) == [(64, 2, 2, 0)]


@pytest.mark.parametrize("kind", [2, 3, 4, 5, 6, 7, 9, 0xA, 0xE, 0xF])
def test_words_of_other_kinds_change_nothing(kind: int) -> None:
    assert decode([time_high(1), kind << 28 | 0xABCDEF, event(2, 2)]) == [(64, 2, 2, 0)]


def test_where_the_stream_is_cut_into_stretches_makes_no_difference() -> None:
    rng = np.random.default_rng(0)
    words = [time_high(7), *rng.integers(0, 2**32, 200).tolist()]
    whole = decode(words)

    assert len(whole) > 20
    for cut in range(len(words)):
        assert decode(words[:cut], words[cut:]) == whole
