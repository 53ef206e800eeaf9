"""What a user of `etram-live` asks for."""

from dataclasses import dataclass
from pathlib import Path

from etram_pipeline.live.page_access import Address
from etram_pipeline.live.sources import SourceName
from etram_pipeline.streaming.handover import WhenSlow

STDOUT = "-"
"""Stands for the standard output in place of a file."""


@dataclass(frozen=True)
class Wishes:
    """What is watched, and where boxes go.

    Attributes:
        source: What is watched.
        speed: How many times faster than it was recorded a recording is played; None: as fast as it
            can be read.
        sensor_size: Height and width of the sensor in px, if the source does not tell.
        json: File of the lines, `STDOUT` for the standard output; None: no lines.
        page: Where the page is served; None: nowhere.
        video: File of the video; None: no video.
        when_slow: What is done with windows that the detector has no time for.
        room: Windows that may wait for the detector.
        score: Least score of a box; None: the one that was best in the validation recordings.
        has_tracks: Whether boxes are followed.
    """

    source: SourceName
    speed: float | None
    sensor_size: tuple[int, int] | None
    json: str | None
    page: Address | None
    video: Path | None
    when_slow: WhenSlow
    room: int
    score: float | None
    has_tracks: bool
