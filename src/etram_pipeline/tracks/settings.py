"""How detections become tracks."""

from pydantic import Field, SerializeAsAny

from etram_pipeline.core.component import Settings
from etram_pipeline.tracks.trackers import TrackerConfig


class CompanionSettings(Settings):
    """Which of two tracks that travel together is dropped.

    Detectors find parts of long vehicles beside the whole, with too small an overlap for one window
    to tell. Over their lives it shows.

    Attributes:
        share: Share of its rows in which a companion overlaps a longer track,
        min_iou: by at least this IoU on average,
        foot: with lower edges that are on average no further apart than this share of the height of
            the taller one.
    """

    share: float = Field(default=0.6, gt=0, le=1)
    min_iou: float = Field(default=0.3, ge=0, le=1)
    foot: float = Field(default=0.3, ge=0)


class TrackSettings(Settings):
    """Tracker, and what is done to whole tracks afterwards.

    Attributes:
        online: Whether only what a live system knows is used; otherwise gaps are bridged, boxes
            smoothed, and tracks judged by their whole life.
        tracker: The tracker.
        smooth: Windows to either side over which boxes are averaged.
        bridge_s: Longest gap between two detections of a moving road user that is filled, in
            seconds.
        least_travel: Distance from its first detection that a track must reach, in sizes of its
            box; trees in the wind stay where they are.
        companions: Which tracks are dropped as parts of a longer one; null keeps all.
    """

    online: bool = False
    tracker: SerializeAsAny[TrackerConfig] = Field(
        default_factory=lambda: TrackerConfig.model_validate({"kind": "static_camera"})
    )
    smooth: int = Field(default=2, ge=0)
    bridge_s: float = Field(default=1.5, ge=0)
    least_travel: float = Field(default=0.7, ge=0)
    companions: CompanionSettings | None = CompanionSettings()
