"""Linear warm-up, then cosine decay."""

import math
from typing import Literal

from typing_extensions import override

from etram_pipeline.training.rate_schedules import DecayConfig


class Config(DecayConfig):
    """Falls slowly at first and in the end, fastest halfway between.

    Source: Loshchilov and Hutter, "SGDR: Stochastic Gradient Descent with Warm Restarts", ICLR
    2017, eq. 5, without restarts.
    """

    kind: Literal["cosine"] = "cosine"

    @override
    def after_warmup(self, step: int, peak: float, num_steps: int) -> float:
        end = 1 / self.end_divisor
        wave = (1 + math.cos(math.pi * self.progress(step, peak, num_steps))) / 2
        return end + (1 - end) * wave
