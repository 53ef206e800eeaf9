"""One number that makes all scores more or less certain."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.logistic import LARGEST_SLOPE, fit_slope, logistic
from etram_pipeline.core.scalings import Scaling


class Config(Scaling):
    """Divides the logit of each score by a temperature.

    A score of 0.5 stays as it is. Below a temperature of 1, others move away from it.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, section 4.2.

    Attributes:
        temperature: What logits are divided by.
    """

    kind: Literal["temperature"] = "temperature"
    temperature: float = Field(ge=1 / LARGEST_SLOPE, le=LARGEST_SLOPE)

    @override
    def curve(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        return logistic(scores, 1 / self.temperature, 0.0)

    @override
    @classmethod
    def fit(cls, scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]) -> "Config":
        return cls(temperature=1 / fit_slope(scores, is_right))
