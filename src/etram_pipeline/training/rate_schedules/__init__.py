"""Learning rates over the course of a training; one module per schedule."""

from abc import abstractmethod
from typing import ClassVar

from pydantic import Field

from etram_pipeline.core.component import Component


class RateScheduleConfig(Component):
    """Chooses a schedule, which begins with a linear warm-up to the highest rate.

    Any but the reference's `one_cycle` changes what is learnt.

    Attributes:
        warmup: Share of the steps until the highest rate.
        start_divisor: The first rate is the highest one divided by this.
    """

    package: ClassVar[str] = __name__
    warmup: float = Field(default=0.005, ge=0, le=1)
    start_divisor: float = Field(default=20.0, ge=1)

    def relative_rate(self, step: int, num_steps: int) -> float:
        """Learning rate of a step, counted from 0, as a share of the highest one.

        Beyond the last step the rate stays as it is there.
        """
        peak = max(self.warmup * num_steps - 1, 0.0)
        if step < peak:
            start = 1 / self.start_divisor
            return start + (1 - start) * step / peak
        return self.after_warmup(min(step, num_steps - 1), peak, num_steps)

    @abstractmethod
    def after_warmup(self, step: int, peak: float, num_steps: int) -> float:
        """The same for a step that is not part of the warm-up.

        Args:
            step: At least `peak`, and less than `num_steps`.
            peak: When the rate is highest, in steps; need not be a whole number.
            num_steps: Steps of the training.
        """


class DecayConfig(RateScheduleConfig):
    """A schedule that falls all the way from the highest rate to the last one.

    Attributes:
        end_divisor: The last rate is the highest one divided by this.
    """

    end_divisor: float = Field(default=10_000.0, ge=1)

    def progress(self, step: int, peak: float, num_steps: int) -> float:
        """How far the rate has come from its highest to its last one, from 0 to 1."""
        return (step - peak) / max(num_steps - 1 - peak, 1.0)
