"""Class-balanced loss: classes weigh by the effective number of their boxes."""

import math
from typing import Literal

from pydantic import Field
from typing_extensions import override

from etram_pipeline.models.classification_losses import CountedConfig


class Config(CountedConfig):
    """Weighs the objects of a class with `n` boxes by `(1 - beta) / (1 - beta**n)`.

    With `gamma` 2 it is the class-balanced focal loss.

    Source: Cui et al., "Class-Balanced Loss Based on Effective Number of Samples", CVPR 2019,
    sections 3.2 and 4.

    Attributes:
        beta: How far further boxes of a class still tell something new; 0 weighs all classes
            alike, towards 1 the weights near those of `inverse_frequency`.
    """

    kind: Literal["effective_number"] = "effective_number"
    beta: float = Field(default=0.9999, ge=0, lt=1)

    @override
    def weigh(self, count: int) -> float:
        # The power itself would lose all digits of its distance from 1 as beta nears 1.
        return (1 - self.beta) / -math.expm1(count * math.log(self.beta)) if self.beta else 1.0
