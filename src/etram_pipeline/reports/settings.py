"""What a report shows."""

from pydantic import Field

from etram_pipeline.core.component import Settings
from etram_pipeline.core.operating_scores import OperatingScores, shown_score


class ReportSettings(Settings):
    """Choices that change what is shown, never a metric.

    Attributes:
        headline: Protocol of the numbers shown first; null: the first that was evaluated.
        score_threshold: Lowest score (objectness times class probability) of the detections drawn
            on pictures; null: the score with the highest F1 in the validation recordings, if the
            detector has one, else 0.3.
        num_examples: Frames of each kind (best and worst, by day and by night) shown as examples.
        mistakes_per_kind: Mistakes of each kind shown as clips, the costliest ones; 0: none.
        video_recording: Recording of the video; null: the one with most labels.
        video_max_seconds: Longest playing time of the video, whose part with most labels is then
            shown; null: the whole recording.
        frames_per_second: Speed at which the video plays windows; 20 is real time at 50 ms each.
        scale: Whole factor by which pictures are enlarged; null: to a width of at least 960 px.
    """

    headline: str | None = None
    score_threshold: float | None = Field(default=None, ge=0, le=1)
    num_examples: int = Field(default=1, ge=0, le=10)
    mistakes_per_kind: int = Field(default=4, ge=0, le=20)
    video_recording: str | None = None
    video_max_seconds: float | None = Field(default=30, gt=0)
    frames_per_second: float = Field(default=20, gt=0, le=240)
    scale: int | None = Field(default=None, ge=1, le=16)

    def drawn_score(self, operating_scores: OperatingScores | None = None) -> float:
        """Lowest score of the detections drawn on pictures.

        Args:
            operating_scores: Scores that are best in the validation recordings; None if unknown.
        """
        if self.score_threshold is not None:
            return self.score_threshold
        return shown_score(operating_scores)

    def drawing(self, operating_scores: OperatingScores | None) -> "ReportSettings":
        """The same settings with the score of drawn detections filled in."""
        return self.model_copy(update={"score_threshold": self.drawn_score(operating_scores)})
