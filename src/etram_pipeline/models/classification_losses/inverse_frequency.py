"""Classes weigh the more, the fewer boxes of them there are."""

from typing import Literal

from typing_extensions import override

from etram_pipeline.models.classification_losses import CountedConfig


class Config(CountedConfig):
    """Weighs the objects of a class with `n` boxes by `1 / n`."""

    kind: Literal["inverse_frequency"] = "inverse_frequency"

    @override
    def weigh(self, count: int) -> float:
        return 1 / count
