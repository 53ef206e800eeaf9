import numpy as np
import pytest

from etram_pipeline.events.polarity import count_polarities


def test_falls_are_in_the_first_half_of_a_histogram_and_rises_in_the_second() -> None:
    frame = np.zeros((6, 1, 2), np.uint8)
    frame[:, 0, 0] = [1, 2, 3, 10, 20, 30]
    rising, falling = count_polarities(frame)
    assert rising.tolist() == [[60, 0]]
    assert falling.tolist() == [[6, 0]]


def test_sums_of_full_channels_do_not_wrap() -> None:
    rising, falling = count_polarities(np.full((2 * 255, 1, 1), 255, np.uint8))
    assert rising.tolist() == falling.tolist() == [[255 * 255]]


def test_the_last_balance_is_all_rises_or_all_falls() -> None:
    frame = np.zeros((3, 1, 3), np.int8)
    frame[0] = 9
    frame[2, 0] = [7, -128, 0]
    rising, falling = count_polarities(frame)
    assert rising.tolist() == [[7, 0, 0]]
    assert falling.tolist() == [[0, 128, 0]]


def test_an_odd_number_of_counted_channels_is_refused() -> None:
    with pytest.raises(ValueError, match="an even number of channels, but this one has 3"):
        count_polarities(np.zeros((3, 1, 1), np.uint8))
