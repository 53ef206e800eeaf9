"""Class weights inversely proportional to the number of boxes."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.models.classification_losses import CountedConfig


class Config(CountedConfig):
    """Weights objects of a class with `n` boxes by `1 / n`."""

    kind: Literal["inverse_frequency"] = "inverse_frequency"

    @override
    def weigh(self, count: int) -> float:
        return 1 / count
