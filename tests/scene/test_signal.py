"""Road users that halt at a signal."""

import numpy as np
import pytest
from pydantic import ValidationError

from etram_pipeline.scene.settings import SceneSettings
from etram_pipeline.scene.signal import Signal

SIGNAL = Signal(first_s=10, brake_s=2, halt_s=8, cycle_s=30)


def test_nothing_changes_before_the_first_halt() -> None:
    times_s = np.linspace(-20, 10, 50)
    assert np.array_equal(SIGNAL.driven_s(times_s), times_s)


def test_each_cycle_costs_the_halt_and_half_of_braking_and_accelerating() -> None:
    found = SIGNAL.driven_s(np.array([10.0, 12.0, 20.0, 22.0, 40.0, 70.0]))
    assert found == pytest.approx([10, 11, 11, 12, 30, 50])


def test_speed_falls_evenly_stays_at_zero_and_rises_evenly() -> None:
    times_s = np.array([9.0, 11.0, 15.0, 21.0, 25.0])
    step_s = 1e-5
    rate = (SIGNAL.driven_s(times_s + step_s) - SIGNAL.driven_s(times_s - step_s)) / (2 * step_s)
    assert rate == pytest.approx([1, 0.5, 0, 0.5, 1], abs=1e-6)


def test_time_is_the_inverse_while_they_move() -> None:
    times_s = np.concatenate([np.arange(start, start + 19.9, 0.13) for start in (-5, 20.5, 50.5)])
    times_s = times_s[SIGNAL.driven_s(times_s + 1e-6) > SIGNAL.driven_s(times_s)]
    found = [SIGNAL.time_s(driven_s) for driven_s in SIGNAL.driven_s(times_s).tolist()]
    assert found == pytest.approx(times_s.tolist(), abs=1e-6)


def test_too_short_cycle_is_refused() -> None:
    with pytest.raises(ValidationError, match=r"cycle_s is 12, but .* take 12 s: make the cycle"):
        Signal(brake_s=1, halt_s=10, cycle_s=12)


def test_scene_without_a_signal_is_written_as_before_there_was_one() -> None:
    assert "signal" not in SceneSettings().model_dump()
    assert SceneSettings.model_validate({"signal": {"halt_s": 3}}).model_dump()["signal"] == {
        "first_s": 5.0,
        "brake_s": 3.0,
        "halt_s": 3.0,
        "cycle_s": 40.0,
    }
