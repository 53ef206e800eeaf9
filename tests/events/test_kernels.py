"""Parts of a window, event by event."""

import numpy as np
import pytest

from etram_pipeline.events.kernels import halving_edges, linear_edges


def parts_from(edges: np.ndarray) -> np.ndarray:
    return np.repeat(np.arange(len(edges) - 1), np.diff(edges))


@pytest.mark.parametrize("span_us", [1, 9, 1000, 33_333, 49_999, 50_000])
def test_in_short_windows_parts_are_exact(span_us: int) -> None:
    times_us = np.arange(span_us + 1)

    wanted = np.minimum(10 * times_us // span_us, 9)

    np.testing.assert_array_equal(parts_from(linear_edges(times_us + 123_456, 10)), wanted)


def test_in_long_windows_an_event_near_a_border_is_where_single_precision_has_it() -> None:
    # 16_842_410 / 1_871_379 is below 9, but it is not in single precision.
    times_us = np.array([0, 1_684_241, 1_871_379])

    assert 10 * times_us[1] // times_us[2] == 8
    assert parts_from(linear_edges(times_us, 10)).tolist() == [0, 9, 9]


@pytest.mark.parametrize("bins", [1, 4, 10, 16])
def test_parts_that_double_begin_at_powers_of_two(bins: int) -> None:
    span_us = 2**15
    times_us = np.arange(span_us + 1)

    wanted = bins - np.ceil(np.log2(span_us / np.maximum(times_us, 1))).astype(int)

    # Exactly at a power of two an event belongs to the later part.
    is_power = np.isin(times_us, 2 ** np.arange(16))
    wanted[0] = 0
    found = parts_from(halving_edges(times_us, bins))
    np.testing.assert_array_equal(found[~is_power], np.clip(wanted, 0, bins - 1)[~is_power])
    np.testing.assert_array_equal(
        found[is_power], np.clip(bins + np.log2(times_us[is_power] / span_us), 0, bins - 1)
    )


@pytest.mark.parametrize("edges_of", [linear_edges, halving_edges])
def test_no_events_have_no_parts(edges_of: object) -> None:
    assert callable(edges_of)
    assert edges_of(np.empty(0, np.int64), 4).tolist() == [0, 0, 0, 0, 0]
