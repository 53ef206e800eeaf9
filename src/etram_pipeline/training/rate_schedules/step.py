"""Linear warm-up, then a rate that drops a few times."""

from typing import Literal

from pydantic import Field, model_validator
from typing_extensions import override

from etram_pipeline.training.rate_schedules import RateScheduleConfig


class Config(RateScheduleConfig):
    """Keeps the highest rate until it is multiplied by the same factor at each drop.

    Attributes:
        drops: When the rate drops, as shares of all steps, warm-up included; ascending. Without
            any, the rate stays the highest one.
        factor: What it is multiplied by.
    """

    kind: Literal["step"] = "step"
    drops: tuple[float, ...] = (0.6, 0.85)
    factor: float = Field(default=0.1, gt=0, lt=1)

    @model_validator(mode="after")
    def _check_drops(self) -> "Config":
        inside = all(self.warmup <= drop < 1 for drop in self.drops)
        if not inside or list(self.drops) != sorted(set(self.drops)):
            raise ValueError(
                f"drops must rise from the end of the warm-up, {self.warmup}, to less than 1, "
                f"not {list(self.drops)}"
            )
        return self

    @override
    def after_warmup(self, step: int, peak: float, num_steps: int) -> float:
        num_drops = sum(step >= round(drop * num_steps) for drop in self.drops)
        return float(self.factor**num_drops)
