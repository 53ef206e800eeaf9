"""Adapter for the trackers of the library `trackers` by Roboflow, to compare with."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.tracks.trackers import Tracker, TrackerConfig


class Config(TrackerConfig):
    """A tracker of the library `trackers`, which knows no road users that rest.

    Attributes:
        algorithm: Which of its trackers.
        low_score: Least score of the detections that are used.
        high_score: Least score of the detections that start tracks, and, where the algorithm
            matches in two stages, that are matched first.
        confirm_hits: Detections in consecutive windows that confirm a track; null leaves the
            number to the library.
        lost_s: Time without a detection after which a track ends, in seconds.
        rate_hz: Windows per second that the library's motion model is meant for. Windows need not
            be even, since their times are given too.
        options: Further arguments of the library's class.
    """

    kind: Literal["roboflow"] = "roboflow"
    algorithm: Literal["sort", "bytetrack", "ocsort", "cbiou"] = "bytetrack"
    low_score: float = Field(default=0.1, ge=0, le=1)
    high_score: float = Field(default=0.4, ge=0, le=1)
    confirm_hits: int | None = Field(default=None, ge=1)
    lost_s: float = Field(default=1.0, ge=0, le=3600)
    rate_hz: float = Field(default=20.0, gt=0)
    options: dict[str, bool | int | float] = Field(default_factory=dict)

    @override
    def build(self, width: int, height: int, class_names: Sequence[str]) -> Tracker:
        from etram_pipeline.tracks.roboflow import RoboflowTracker

        return RoboflowTracker(self, class_names)
