"""Windows that end exactly at labelled frames."""

import itertools
from typing import Literal

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.core.errors import NoLabelsError
from etram_pipeline.core.recording import Recording
from etram_pipeline.events.windows import WindowConfig, WindowPlan, check_number


class Config(WindowConfig):
    """A window ends at every labelled frame; more windows divide the time between frames equally.

    Where labelled frames are regular, the same number of windows divides each of their intervals.
    Where they are irregular, each gap is divided into steps as close to `step_ms` as possible, at
    least one. Frames that follow each other faster than `step_ms` therefore have shorter steps, and
    windows that overlap if they are longer than the step.

    Before the first frame, windows go back in steps of `step_ms` to the start of the clock. The
    earliest of them is left out, complete or not, as in the reference. Unlike in the reference,
    windows that end before the first event are left out as well, because the clock of a camera may
    have run for hours. There are no windows after the last frame.

    Source: RVT, `scripts/genx/preprocess_dataset.py`, `labels_and_ev_repr_timestamps`.
    """

    kind: Literal["label_aligned"] = "label_aligned"

    @override
    def plan(
        self,
        frame_times_us: Int64[np.ndarray, " F"],
        frame_interval_us: int,
        recording: Recording,
    ) -> WindowPlan:
        if len(frame_times_us) == 0:
            raise NoLabelsError(
                "there are no labelled frames for windows to end at: set "
                "`windows: {kind: regular}` to cut this recording without labels"
            )
        step_us = 1000 * self.step_ms
        first_us = int(frame_times_us[0])
        # A clock may have started in 1970, so windows that are left out must not be created either.
        num_before = min(-(-first_us // step_us) - 2, (first_us - recording.start_us) // step_us)
        check_number(num_before, recording.start_us, first_us)
        before = first_us - step_us * np.arange(num_before, 0, -1, dtype=np.int64)
        gaps_us = list(itertools.pairwise(frame_times_us.tolist()))
        # Irregular gaps are multiples of no interval but that of windows themselves.
        interval_us = frame_interval_us or step_us
        steps_per_interval = max(1, round(interval_us / step_us))
        num_steps = [
            steps_per_interval * max(1, round((stop - start) / interval_us))
            for start, stop in gaps_us
        ]
        check_number(num_before + sum(num_steps), first_us, int(frame_times_us[-1]))
        between = [_edges_us(*gap, num) for gap, num in zip(gaps_us, num_steps, strict=True)]
        ends_us = np.concatenate([before, frame_times_us[:1], *between])
        return WindowPlan(
            stop_us=ends_us,
            frame_windows=np.searchsorted(ends_us, frame_times_us).astype(np.int64),
            duration_us=None if self.duration_ms is None else 1000 * self.duration_ms,
            num_events=self.num_events,
        )


def _edges_us(start_us: int, stop_us: int, num_steps: int) -> Int64[np.ndarray, " S"]:
    """Ends of `num_steps` equal steps, rounded down to whole microseconds."""
    return np.linspace(start_us, stop_us, num_steps + 1)[1:].astype(np.int64)
