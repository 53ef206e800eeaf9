"""Policies that cut a recording into windows; one module per policy."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from jaxtyping import Int64
from pydantic import Field, model_validator

from etram_pipeline.core.component import Component
from etram_pipeline.core.errors import RecordingError
from etram_pipeline.core.recording import Recording

MOST_WINDOWS = 10**7
"""Most windows of a recording; at 50 ms each, they cover more than five days."""


@dataclass(frozen=True)
class WindowPlan:
    """Windows of one recording, each identified by its end.

    Attributes:
        stop_us: End of each window, in microseconds; ascending.
        frame_windows: Index of the window that ends at each labelled frame.
        duration_us: Length of every window; None where windows hold a number of events.
        num_events: Events in every window; None where windows have a duration.
    """

    stop_us: Int64[np.ndarray, " W"]
    frame_windows: Int64[np.ndarray, " F"]
    duration_us: int | None
    num_events: int | None = None


class WindowConfig(Component):
    """Chooses where windows end and how many events they hold.

    Attributes:
        step_ms: Time between the ends of two windows.
        duration_ms: Length of a window; None when `num_events` is set.
        num_events: Events in a window: the last ones before its end.
    """

    package: ClassVar[str] = __name__

    step_ms: int = Field(default=50, ge=1)
    duration_ms: int | None = Field(default=50, ge=1)
    num_events: int | None = Field(default=None, ge=1)

    @model_validator(mode="after")
    def _check_extent(self) -> "WindowConfig":
        if (self.duration_ms is None) == (self.num_events is None):
            raise ValueError(
                "set either duration_ms or num_events, and the other to null: "
                f"got duration_ms={self.duration_ms}, num_events={self.num_events}"
            )
        return self

    @abstractmethod
    def plan(
        self,
        frame_times_us: Int64[np.ndarray, " F"],
        frame_interval_us: int,
        recording: Recording,
    ) -> WindowPlan:
        """Windows of a recording.

        Args:
            frame_times_us: Times of the labelled frames, ascending, in microseconds; may be empty.
            frame_interval_us: Regular distance of labelled frames, in microseconds; gaps are
                multiples of it. 0 if they are irregular, or if it is unknown.
            recording: The recording; finding its end may require reading the whole file.
        """


def check_number(num_windows: int, start_us: int, stop_us: int) -> None:
    """Refuse a number of windows that would fill memory and disk; one wrong time can cause it.

    Args:
        num_windows: Number of windows.
        start_us: Start of the first, in microseconds, for the message.
        stop_us: End of the last, in microseconds, for the message.

    Raises:
        RecordingError: If there are more than `MOST_WINDOWS`.
    """
    if num_windows > MOST_WINDOWS:
        raise RecordingError(
            f"{num_windows} windows would be cut from {start_us} to {stop_us} us, but a recording "
            f"may have at most {MOST_WINDOWS}: correct the label or event with a wrong time, or "
            "set a larger `windows.step_ms`"
        )
