"""Two numbers, for detectors all of whose scores are too low, or too high."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import Field
from typing_extensions import override

from etram_pipeline.core.logistic import (
    LARGEST_BIAS,
    LARGEST_SLOPE,
    fit_slope_and_bias,
    logistic,
)
from etram_pipeline.core.scalings import Scaling


class Config(Scaling):
    """Multiplies the logit of each score, and adds to it.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999, section 2; applied to
    the logit of the score, as in Küppers et al., "Multivariate Confidence Calibration for Object
    Detection", CVPR workshops 2020.

    Attributes:
        slope: What logits are multiplied by.
        bias: What is added then.
    """

    kind: Literal["platt"] = "platt"
    slope: float = Field(ge=1 / LARGEST_SLOPE, le=LARGEST_SLOPE)
    bias: float = Field(ge=-LARGEST_BIAS, le=LARGEST_BIAS)

    @override
    def curve(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        return logistic(scores, self.slope, self.bias)

    @override
    @classmethod
    def fit(cls, scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]) -> "Config":
        slope, bias = fit_slope_and_bias(scores, is_right)
        return cls(slope=slope, bias=bias)
