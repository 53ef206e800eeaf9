"""Windows at regular times, independent of labels."""

from typing import Literal

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.core.recording import Recording
from etram_pipeline.events.windows import WindowConfig, WindowPlan, check_number


class Config(WindowConfig):
    """Windows end at every multiple of `step_ms` during the recording.

    The last one may extend beyond the last event, so that every event is in a window if windows are
    as long as their step. A labelled frame has a window only if one ends exactly at its time.
    """

    kind: Literal["regular"] = "regular"

    @override
    def plan(
        self,
        frame_times_us: Int64[np.ndarray, " F"],
        frame_interval_us: int,
        recording: Recording,
    ) -> WindowPlan:
        step_us = 1000 * self.step_ms
        start_us, stop_us = recording.start_us, recording.stop_us
        # `stop_us` is one microsecond after the last event, at which a window may end.
        first, last = start_us // step_us + 1, -(-(stop_us - 1) // step_us)
        num_windows = max(1, last - first + 1) if stop_us > start_us else 0
        check_number(num_windows, start_us, stop_us)
        ends_us = step_us * np.arange(first, first + num_windows, dtype=np.int64)
        return WindowPlan(
            stop_us=ends_us,
            frame_windows=np.flatnonzero(np.isin(ends_us, frame_times_us)).astype(np.int64),
            duration_us=None if self.duration_ms is None else 1000 * self.duration_ms,
            num_events=self.num_events,
        )
