"""Linear warm-up, then linear decay."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.training.rate_schedules import DecayConfig


class Config(DecayConfig):
    """The schedule of RVT: PyTorch's `OneCycleLR` with `anneal_strategy="linear"`.

    Source: uzh-rpg/RVT, modules/detection.py, `configure_optimizers`.
    """

    kind: Literal["one_cycle"] = "one_cycle"

    @override
    def after_warmup(self, step: int, peak: float, num_steps: int) -> float:
        return 1 - (1 - 1 / self.end_divisor) * self.progress(step, peak, num_steps)
