"""In which unit labels are."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.labels.units import is_rate_unusual, place_fault, size_doubt, time_fault

MakeLabels = Callable[..., LabelTable]
UNITS = {"seconds": 1e6, "milliseconds": 1e3, "nanoseconds": 1e-3}
REMEDIES = {
    "seconds": "multiply `t` by 1000000",
    "milliseconds": "multiply `t` by 1000",
    "nanoseconds": "divide `t` by 1000",
}


def at(times: np.ndarray) -> LabelTable:
    table = np.zeros(len(times), LABEL_DTYPE)
    table["t"] = times
    return table


rates_hz = st.floats(1, 90)
lengths_s = st.floats(5, 60)
starts_s = st.floats(0, 1e5)


@pytest.mark.parametrize("unit", UNITS)
@settings(deadline=None, max_examples=40)
@given(rate_hz=rates_hz, length_s=lengths_s, start_s=starts_s)
def test_another_unit_is_named_with_its_remedy(
    unit: str, rate_hz: float, length_s: float, start_s: float
) -> None:
    times_us = (1e6 * (start_s + np.arange(0, length_s, 1 / rate_hz))).astype(np.int64)
    labels = at((times_us / UNITS[unit]).astype(np.int64))
    span_us = int(1e6 * start_s), int(1e6 * (start_s + length_s))
    fault = time_fault(labels, span_us)
    assert f"times seem to be {unit}" in fault
    assert fault.endswith(REMEDIES[unit])


@pytest.mark.parametrize("step", [1, 3])
def test_numbers_of_frames_are_told_from_times(step: int) -> None:
    fault = time_fault(at(np.arange(0, 300, step)), (0, 10_000_000))
    assert "times seem to be frame numbers, or milliseconds, not microseconds" in fault
    assert fault.endswith("give the time of each frame in microseconds")


@settings(deadline=None, max_examples=40)
@given(
    rate_hz=st.floats(0.05, 300),
    length_s=lengths_s,
    start_s=starts_s,
    part=st.floats(0.05, 1),
    shift_s=st.floats(-1000, 1000),
)
def test_microseconds_are_never_doubted_wherever_they_lie(
    rate_hz: float, length_s: float, start_s: float, part: float, shift_s: float
) -> None:
    distances = np.arange(0, part * length_s, 1 / rate_hz)
    assume(len(distances) > 1)
    labels = at((1e6 * (start_s + shift_s + distances)).astype(np.int64))
    span_us = int(1e6 * start_s), int(1e6 * (start_s + length_s))
    assert time_fault(labels, span_us) == ""


@pytest.mark.parametrize("times", [[], [500]])
def test_the_unit_of_a_single_moment_cannot_be_known(times: list[int]) -> None:
    labels = at(np.array(times, np.int64))
    assert not is_rate_unusual(labels)
    assert time_fault(labels, (0, 60_000_000)) == ""


def test_usual_rates_need_no_look_at_the_recording() -> None:
    assert not is_rate_unusual(at(np.arange(10) * 33_333))
    assert is_rate_unusual(at(np.arange(10) * 33))


def test_fractions_of_the_sensor_are_named_with_its_size(make_labels: MakeLabels) -> None:
    labels = make_labels(x=[0.5, 0.1, np.nan], y=0.25, w=0.2, h=0.6)
    fault = place_fault(labels, 720, 1280)
    assert "fractions of the sensor's size, not px: none of 2 extends beyond 0.85" in fault
    assert "multiply `x` and `w` by 1280, `y` and `h` by 720" in fault


@pytest.mark.parametrize(("x", "w"), [(0, 0), (3, 5), (0.5, 40)])
def test_px_are_not_taken_for_fractions(make_labels: MakeLabels, x: float, w: float) -> None:
    assert place_fault(make_labels(x=x, y=0, w=w, h=w), 720, 1280) == ""


@pytest.mark.parametrize("size", [(720, 1280), (240, 304)])
def test_two_corners_are_told_from_a_corner_and_a_size(
    size: tuple[int, int], make_labels: MakeLabels
) -> None:
    rng = np.random.default_rng(0)
    height, width = size
    x, y = rng.uniform(0, [[0.8 * width], [0.8 * height]], (2, 50))
    w, h = rng.uniform(5, 0.2 * height, (2, 50))
    fault = place_fault(make_labels(x=x, y=y, w=x + w, h=y + h), height, width)
    assert "two corners, not a corner and a size" in fault
    assert "subtract `x` from `w`, and `y` from `h`" in fault
    assert place_fault(make_labels(x=x, y=y, w=w, h=h), height, width) == ""


def test_boxes_over_the_border_are_not_taken_for_two_corners(make_labels: MakeLabels) -> None:
    x = np.linspace(-20, 300, 30)
    assert place_fault(make_labels(x=x, y=200, w=310, h=100), 240, 304) == ""


def test_boxes_of_a_larger_sensor_are_told(make_labels: MakeLabels) -> None:
    labels = make_labels(x=[100, 700, 800], y=[50, 100, 500])
    assert size_doubt(labels, 720, 1280) == ""
    doubt = size_doubt(labels, 240, 304)
    assert doubt.startswith("2 of 3 boxes lie off the sensor of 240 x 304 px")
    assert "extend to x = 830, y = 540" in doubt


def test_nothing_is_said_of_no_boxes() -> None:
    none = np.zeros(0, LABEL_DTYPE)
    assert place_fault(none, 720, 1280) == size_doubt(none, 720, 1280) == ""
