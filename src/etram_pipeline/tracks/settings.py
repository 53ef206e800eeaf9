"""How detections become tracks."""

from pydantic import Field, SerializeAsAny

from etram_pipeline.core.component import Settings
from etram_pipeline.tracks.trackers import TrackerConfig


class TrackSettings(Settings):
    """Tracker, and what is done to whole tracks afterwards.

    Attributes:
        online: Whether only what a live system knows is used; otherwise gaps are bridged, boxes
            smoothed, and tracks judged by their whole life.
        tracker: The tracker.
        smooth: Windows to either side over which boxes are averaged.
        bridge_s: Longest gap between two detections of a moving road user that is filled, in
            seconds.
    """

    online: bool = False
    tracker: SerializeAsAny[TrackerConfig] = Field(
        default_factory=lambda: TrackerConfig.model_validate({"kind": "static_camera"})
    )
    smooth: int = Field(default=2, ge=0)
    bridge_s: float = Field(default=1.5, ge=0)
