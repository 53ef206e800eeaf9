"""Windows at regular times."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.events.windows.conftest import SpanRecording

from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.events.windows.regular import Config


def plan(
    start_us: int, stop_us: int, frame_times_us: tuple[int, ...] = (), step_ms: int = 50
) -> WindowPlan:
    frame_times = np.array(frame_times_us, np.int64)
    return Config(step_ms=step_ms).plan(frame_times, 100_000, SpanRecording(start_us, stop_us))


@pytest.mark.parametrize(
    ("start_us", "last_us", "stop_us"),
    [
        pytest.param(0, 45_000, [50_000], id="shorter than a window"),
        pytest.param(0, 50_000, [50_000], id="the last event at the end of a window"),
        pytest.param(0, 50_001, [50_000, 100_000], id="a last part"),
        pytest.param(120_000, 230_000, [150_000, 200_000, 250_000], id="a late start"),
        pytest.param(50_000, 50_000, [100_000], id="one event"),
        pytest.param(0, 0, [50_000], id="one event at 0"),
    ],
)
def test_windows_end_at_multiples_of_the_step(
    start_us: int, last_us: int, stop_us: list[int]
) -> None:
    assert plan(start_us, last_us + 1).stop_us.tolist() == stop_us


def test_a_wrong_time_of_an_event_is_told_rather_than_filling_memory() -> None:
    with pytest.raises(RecordingError, match=r"windows would be cut from 0 to 4611686018427387904"):
        plan(0, 2**62)


def test_a_recording_without_events_has_no_windows() -> None:
    assert len(plan(0, 0).stop_us) == 0


def test_a_frame_has_a_window_only_at_its_very_time() -> None:
    found = plan(0, 300_000, frame_times_us=(100_000, 199_999, 250_000, 400_000))

    assert found.frame_windows.tolist() == [1, 4]


@given(st.integers(0, 10**10), st.integers(0, 10**7), st.integers(1, 500))
def test_every_event_is_in_a_window(start_us: int, length_us: int, step_ms: int) -> None:
    last_us = start_us + length_us

    stop_us = plan(start_us, last_us + 1, step_ms=step_ms).stop_us

    assert np.all(np.diff(stop_us) == 1000 * step_ms)
    assert stop_us[0] - 1000 * step_ms <= start_us <= stop_us[0]
    assert last_us <= stop_us[-1]
