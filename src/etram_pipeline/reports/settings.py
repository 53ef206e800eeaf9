"""What a report shows."""

from pydantic import Field

from etram_pipeline.core.component import Settings


class ReportSettings(Settings):
    """Choices that change what is shown, never a metric.

    Attributes:
        headline: Protocol of the numbers shown first; null: the first that was evaluated.
        score_threshold: Least joint confidence of the detections drawn on pictures.
        num_examples: Frames of each kind (best and worst, by day and by night) shown as examples.
        video_recording: Recording of the video; null: the one with most labels.
        video_max_seconds: Longest playing time of the video, whose part with most labels is then
            shown; null: the whole recording.
        frames_per_second: Speed at which the video plays windows; 20 is real time at 50 ms each.
        scale: Whole factor by which pictures are enlarged; null: to a width of at least 960 px.
    """

    headline: str | None = None
    score_threshold: float = Field(default=0.3, ge=0, le=1)
    num_examples: int = Field(default=1, ge=0, le=10)
    video_recording: str | None = None
    video_max_seconds: float | None = Field(default=30, gt=0)
    frames_per_second: float = Field(default=20, gt=0, le=240)
    scale: int | None = Field(default=None, ge=1, le=16)
