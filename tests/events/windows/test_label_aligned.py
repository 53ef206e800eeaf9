"""Windows that end at labelled frames."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.windows.conftest import SpanRecording

from etram_pipeline.core.errors import NoLabelsError, RecordingError
from etram_pipeline.events.windows import WindowConfig, WindowPlan
from etram_pipeline.events.windows.label_aligned import Config


def plan(
    frame_times_us: list[int],
    interval_us: int = 100_000,
    config: WindowConfig | None = None,
    start_us: int = 0,
) -> WindowPlan:
    config = config or Config()
    recording = SpanRecording(start_us, start_us + 1)
    return config.plan(np.array(frame_times_us, np.int64), interval_us, recording)


def test_windows_go_back_from_the_first_frame_but_for_the_earliest() -> None:
    assert plan([233_333]).stop_us.tolist() == [83_333, 133_333, 183_333, 233_333]


@pytest.mark.parametrize(("first_us", "stop_us"), [(100_000, [100_000]), (50_000, [50_000])])
def test_a_whole_window_before_the_first_frame_is_left_out_if_it_is_the_earliest(
    first_us: int, stop_us: list[int]
) -> None:
    assert plan([first_us]).stop_us.tolist() == stop_us


@pytest.mark.parametrize(
    ("start_us", "stop_us"),
    [(133_333, [133_333, 183_333, 233_333]), (133_334, [183_333, 233_333]), (500_000, [233_333])],
)
def test_windows_before_the_first_event_are_left_out_but_those_of_frames(
    start_us: int, stop_us: list[int]
) -> None:
    assert plan([233_333], start_us=start_us).stop_us.tolist() == stop_us


def test_a_clock_that_began_in_1970_costs_nothing() -> None:
    start_us = 1_700_000_000_000_000

    found = plan([start_us + 120_000], start_us=start_us)

    assert (found.stop_us - start_us).tolist() == [20_000, 70_000, 120_000]


@pytest.mark.parametrize("times_us", [[2**62], [100_000, 2**62], [100_000, 6 * 10**11]])
def test_a_wrong_time_of_a_label_is_told_rather_than_filling_memory(times_us: list[int]) -> None:
    with pytest.raises(RecordingError, match=rf"to {times_us[-1]} us, but a recording may have"):
        plan(times_us)


def test_two_windows_lead_from_one_frame_to_the_next() -> None:
    found = plan([100_000, 199_999], interval_us=99_999)

    # Halfway is 149 999.5, and whole microseconds are cut off.
    assert found.stop_us.tolist() == [100_000, 149_999, 199_999]
    assert found.frame_windows.tolist() == [0, 2]


def test_a_gap_is_filled_with_windows() -> None:
    found = plan([100_000, 400_100], interval_us=100_000)

    assert found.stop_us.tolist() == [100_000, 150_016, 200_033, 250_050, 300_066, 350_083, 400_100]
    assert found.frame_windows.tolist() == [0, 6]


@pytest.mark.parametrize(
    ("interval_us", "step_ms", "num_steps"),
    [(250_000, 50, 5), (1_000_000, 50, 20), (100_000, 25, 4), (100_000, 100, 1), (30_000, 50, 1)],
)
def test_steps_divide_the_interval_of_frames(
    interval_us: int, step_ms: int, num_steps: int
) -> None:
    found = plan([300_000, 300_000 + interval_us], interval_us, Config(step_ms=step_ms))

    first, second = found.frame_windows.tolist()
    assert second - first == num_steps


def test_irregular_gaps_are_divided_into_steps_near_the_wanted_one() -> None:
    found = plan([100_000, 133_000, 233_000, 243_000, 373_000], interval_us=0)

    ends_us = [100_000, 133_000, 183_000, 233_000, 243_000, 286_333, 329_666, 373_000]
    assert found.stop_us.tolist() == ends_us
    assert found.frame_windows.tolist() == [0, 1, 3, 4, 7]


def test_after_a_pause_that_shifts_the_labels_each_frame_still_has_its_window() -> None:
    found = plan([100_000, 200_000, 325_000, 425_000], interval_us=0)

    # 125 ms are divided into two steps, as near to 50 ms as three.
    ends_us = [100_000, 150_000, 200_000, 262_500, 325_000, 375_000, 425_000]
    assert found.stop_us.tolist() == ends_us
    assert found.frame_windows.tolist() == [0, 2, 4, 6]


@given(
    st.integers(100_000, 500_000),
    st.lists(st.integers(1, 400_000), max_size=30),
    st.integers(1, 200),
)
def test_every_irregular_frame_has_a_window_that_ends_with_it(
    first_us: int, gaps_us: list[int], step_ms: int
) -> None:
    frame_times_us = np.cumsum([first_us, *gaps_us])

    found = plan(frame_times_us.tolist(), 0, Config(step_ms=step_ms))

    assert np.all(np.diff(found.stop_us) > 0)
    np.testing.assert_array_equal(found.stop_us[found.frame_windows], frame_times_us)
    steps_us = np.diff(found.stop_us)
    assert np.all(steps_us <= 1500 * step_ms + 1)  # 1.4 of a step is still one


def test_windows_hold_a_duration_or_a_number_of_events() -> None:
    by_count = plan([100_000], config=Config(duration_ms=None, num_events=20_000))

    assert (plan([100_000]).duration_us, plan([100_000]).num_events) == (50_000, None)
    assert (by_count.duration_us, by_count.num_events) == (None, 20_000)


def test_without_labels_the_error_names_the_other_policy() -> None:
    with pytest.raises(NoLabelsError, match=r"windows: \{kind: regular\}"):
        plan([])


@given(
    st.integers(100_000, 500_000),
    st.lists(st.tuples(st.integers(1, 7), st.integers(-2000, 2000)), max_size=20),
)
def test_every_frame_has_a_window_that_ends_with_it(
    first_us: int, gaps: list[tuple[int, int]]
) -> None:
    steps_us = [99_999 * count + off_us for count, off_us in gaps]
    frame_times_us = np.cumsum([first_us, *steps_us])

    found = plan(frame_times_us.tolist(), interval_us=99_999)

    assert np.all(np.diff(found.stop_us) > 0)
    np.testing.assert_array_equal(found.stop_us[found.frame_windows], frame_times_us)
    assert np.diff(found.frame_windows).tolist() == [2 * count for count, _ in gaps]
    assert found.stop_us[-1] == frame_times_us[-1]
