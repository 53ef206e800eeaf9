"""Running maximum, cutting and cleaning, on columns of a few events."""

from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.cleaning import (
    Columns,
    Origin,
    RunningMaximum,
    clean,
    cut,
    select,
)

TIMES = st.lists(st.integers(-50, 1000), min_size=1, max_size=30)


SENSOR = Origin("sensor", 1, 1)
ORIGIN = Origin("some_td.h5", height=100, width=60)


def columns(x: npt.ArrayLike, y: npt.ArrayLike, polarity: npt.ArrayLike) -> Columns:
    x = np.asarray(x)
    return Columns(x, np.asarray(y), np.arange(len(x)), np.asarray(polarity))


@given(TIMES, st.integers(0, 30))
def test_the_maximum_carries_the_latest_time_over_any_cut(times: list[int], place: int) -> None:
    t_us = np.array(times)
    maximum = RunningMaximum()

    found = [maximum.raise_late(part) for part in (t_us[:place], t_us[place:])]

    np.testing.assert_array_equal(np.concatenate(found), np.maximum.accumulate(t_us))
    assert maximum.latest_us == t_us.max()


def test_the_maximum_leaves_the_given_times_alone() -> None:
    t_us = np.array([5, 3, 8])

    raised = RunningMaximum().raise_late(t_us)

    assert t_us.tolist() == [5, 3, 8]
    assert raised.tolist() == [5, 5, 8]


@settings(deadline=None)  # the first case compiles a kernel
@given(TIMES, st.integers(0, 30))
def test_events_before_time_zero_are_left_out_and_counted(times: list[int], place: int) -> None:
    t_us = np.array(times)
    maximum, kept, num_early = RunningMaximum(), list[int](), 0

    for part in (t_us[:place], t_us[place:]):
        zeros = np.zeros(len(part), np.uint16)
        events = select(Columns(zeros, zeros, part, zeros), maximum, SENSOR, (None, None))
        if events is not None:
            kept += events.t_us.tolist()
            num_early += events.num_early

    raised = np.maximum.accumulate(t_us)
    assert kept == raised[raised >= 0].tolist()
    assert num_early == np.sum(raised < 0)


@given(TIMES, st.none() | st.integers(-60, 1010), st.none() | st.integers(-60, 1010))
def test_a_cut_holds_exactly_the_times_of_the_span(
    times: list[int], start_us: int | None, stop_us: int | None
) -> None:
    t_us = np.sort(np.array(times))

    first, last = cut(t_us, start_us, stop_us)

    low = -(10**6) if start_us is None else start_us
    high = 10**6 if stop_us is None else stop_us
    np.testing.assert_array_equal(t_us[first:last], t_us[(t_us >= low) & (t_us < high)])


@pytest.mark.parametrize("dtype", [np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_coordinates_outside_are_dropped_whatever_their_type(
    dtype: type[np.integer],
) -> None:
    outside = np.array([60, -1, -32_522, 59], np.int64).astype(dtype)
    found = clean(columns(outside, outside, [1, 0, 1, 0]), np.arange(4), ORIGIN)

    assert found.x.tolist() == found.y.tolist() == [59]
    assert found.t_us.tolist() == [3]
    assert found.num_dropped == 3


def test_large_coordinates_do_not_wrap_into_the_sensor() -> None:
    far = np.array([2**16 + 3, 2**32 + 3, -(2**16) + 3])

    assert clean(columns(far, far, [1, 1, 1]), np.arange(3), ORIGIN).num_dropped == 3


def test_a_small_negative_coordinate_of_one_byte_is_outside() -> None:
    x = np.array([-1, 5], np.int8)
    found = clean(columns(x, x, [1, 1]), np.arange(2), Origin("large", 300, 300))

    assert found.x.tolist() == [5]


@pytest.mark.parametrize("polarity", [[-1, 0, 1], np.array([-1, 0, 1], np.int8), [-9, -1, 1]])
def test_polarity_below_one_is_falling_brightness(polarity: npt.ArrayLike) -> None:
    found = clean(columns([1, 2, 3], [1, 2, 3], polarity), np.arange(3), ORIGIN)

    assert found.polarity.tolist() == [0, 0, 1]


def test_booleans_are_polarities() -> None:
    found = clean(columns([1, 2], [1, 2], [False, True]), np.arange(2), ORIGIN)

    assert found.polarity.tolist() == [0, 1]


def test_polarity_above_one_is_refused_with_the_place() -> None:
    with pytest.raises(RecordingError, match=r"some_td\.h5: .*between 40 and 41 us has polarity 2"):
        clean(columns([1, 2], [1, 2], [0, 2]), np.array([40, 41]), ORIGIN)


def test_events_given_another_time_are_counted() -> None:
    given_columns = replace(columns([1, 2, 3], [1, 2, 3], [0, 0, 0]), t_us=np.array([5, 2, 6]))

    found = clean(given_columns, np.array([5, 5, 6]), ORIGIN)

    assert found.num_late == 1
    assert found.t_us.tolist() == [5, 5, 6]


def test_cleaned_arrays_are_not_those_of_the_file() -> None:
    x = np.array([1, 2], np.uint16)
    t_us = np.arange(2)

    found = clean(columns(x, x, [0, 1]), t_us, ORIGIN)

    assert not np.shares_memory(found.x, x)
    assert not np.shares_memory(found.t_us, t_us)
