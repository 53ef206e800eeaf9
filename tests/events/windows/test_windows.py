"""What every policy of windows promises."""

import numpy as np
import pytest
from pydantic import ValidationError
from tests.events.windows.conftest import SpanRecording

from etram_pipeline.core.component import kinds
from etram_pipeline.events import windows
from etram_pipeline.events.windows import WindowConfig


@pytest.fixture(params=kinds(windows.__name__))
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def test_windows_are_in_order_and_frames_end_some_of_them(kind: str) -> None:
    config = WindowConfig.model_validate({"kind": kind})
    frame_times_us = np.array([200_000, 300_000, 500_000])

    plan = config.plan(frame_times_us, 100_000, SpanRecording(0, 600_000))

    assert np.all(np.diff(plan.stop_us) > 0)
    np.testing.assert_array_equal(plan.stop_us[plan.frame_windows], frame_times_us)


@pytest.mark.parametrize("extent", [{"num_events": 100}, {"duration_ms": None}])
def test_a_window_has_either_a_duration_or_a_number_of_events(
    kind: str, extent: dict[str, int | None]
) -> None:
    with pytest.raises(ValidationError, match="set either duration_ms or num_events"):
        WindowConfig.model_validate({"kind": kind, **extent})


def test_settings_survive_being_written_and_read(kind: str) -> None:
    config = WindowConfig.model_validate({"kind": kind, "step_ms": 20, "duration_ms": 40})
    content = config.model_dump(mode="json", serialize_as_any=True)

    assert WindowConfig.model_validate(content) == config
