"""Adapter for the trackers of the library `trackers` by Roboflow, to compare with."""

import inspect
from collections.abc import Sequence
from typing import Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.tracks.trackers import Tracker, TrackerConfig

_CLASSES = {
    "sort": "SORTTracker",
    "bytetrack": "ByteTrackTracker",
    "ocsort": "OCSORTTracker",
    "cbiou": "CBIoUTracker",
}
_BUFFER_HZ = 30
"""Rate of the frames in which the library counts how long lost tracks are kept."""


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

        return RoboflowTracker(self.library_tracker(), self.low_score, class_names)

    def library_tracker(self) -> object:
        """The library's tracker; its classes differ in the arguments they take.

        Raises:
            SettingsError: If the library is missing, or an option is unknown.
        """
        try:
            import trackers
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"track.tracker.kind roboflow needs {error.name}, which is not installed: "
                "pip install -e '.[trackers]'"
            ) from error
        make = getattr(trackers, _CLASSES[self.algorithm])
        known = set(inspect.signature(make).parameters)
        for option in self.options:
            if option not in known:
                raise SettingsError(unknown_name("option of the tracker", option, known))
        arguments: dict[str, object] = {
            "lost_track_buffer": round(self.lost_s * _BUFFER_HZ),
            "frame_rate": self.rate_hz,
            "track_activation_threshold": self.high_score,
            "high_conf_det_threshold": self.high_score,
            "minimum_consecutive_frames": self.confirm_hits,
        }
        chosen = {
            name: value for name, value in arguments.items() if name in known and value is not None
        }
        made: object = make(**chosen | self.options)
        return made
