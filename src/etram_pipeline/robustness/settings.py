"""Settings of the robustness study; in a module of their own, so that reading them is fast."""

from collections import Counter

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.events.changes import EventChange
from etram_pipeline.inference.rates import WindowLengths, WindowRates


class RobustnessSettings(Settings):
    """At which changes of the events, and at which rates of windows, a detector is scored.

    Attributes:
        changes: Changes of the events, each of one strength; kinds are the modules of
            `events/changes`.
        windows_per_second: Rates of windows; each divides 1000.
        window_lengths: `step`: windows are as long as the time from one to the next. `trained`:
            they are always as long as in training.
        sample_s: Most seconds of recordings that are scored; with more, excerpts are.
        excerpt_s: Shortest excerpt, in seconds; recordings are left out rather than cut shorter.
        warm_up_ms: Time before each excerpt that the detector sees without being scored.
        seed: Decides the excerpts and what is random in changes.
    """

    changes: tuple[EventChange, ...] = ()
    windows_per_second: WindowRates = ()
    window_lengths: WindowLengths = Field(default=("step", "trained"), min_length=1)
    sample_s: float = Field(default=10.0, gt=0, allow_inf_nan=False)
    excerpt_s: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    warm_up_ms: int = Field(default=1000, ge=0)
    seed: NonNegativeInt = 0

    @field_validator("changes")
    @classmethod
    def _check_distinct(cls, changes: tuple[EventChange, ...]) -> tuple[EventChange, ...]:
        """Metrics are named by change and severity."""
        names = Counter(f"{change.name} of {change.severity_name}" for change in changes)
        if repeated := [name for name, number in names.items() if number > 1]:
            raise ValueError(f"{', '.join(repeated)} is there twice: list each change once")
        return changes

    @model_validator(mode="after")
    def _check_any(self) -> "RobustnessSettings":
        if not self.changes and not self.windows_per_second:
            raise ValueError(
                "robustness.changes and robustness.windows_per_second are both empty: list at "
                "least one change or one rate"
            )
        return self
