"""Scalings of scores, fitted so that a score is the probability that a detection is right.

One module per kind. All keep the order of detections, so average precision does not change.
"""

from abc import abstractmethod
from importlib import import_module
from typing import ClassVar

import numpy as np
from jaxtyping import Bool, Float64

from etram_pipeline.core.component import Component
from etram_pipeline.core.scaling_kind import ScalingKind

_SHARE_OF_SCORE = 1e-6
"""Share of the unscaled score in a scaled one."""


class Scaling(Component):
    """A fitted scaling of scores."""

    package: ClassVar[str] = __name__

    def apply(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        """Scaled scores, from 0 to 1, in double precision; they keep the order of the scores.

        Args:
            scores: From 0 to 1, as a detector gives them in single precision or less. Any two that
                differ, differ afterwards, in the same direction; equal scores stay equal.
        """
        # Curves saturate near 0 and 1, where rounding would make equal what was different.
        return (1 - _SHARE_OF_SCORE) * self.curve(scores) + _SHARE_OF_SCORE * scores

    @abstractmethod
    def curve(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        """Probability that detections with these scores are right; it never falls."""

    @classmethod
    @abstractmethod
    def fit(cls, scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]) -> "Scaling":
        """The scaling that suits detections best of which it is known whether they are right."""


def fit_scaling(
    kind: ScalingKind, scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]
) -> Scaling:
    """A scaling of a kind, fitted to detections.

    Args:
        kind: Name of the kind.
        scores: Score of each detection.
        is_right: Whether each detection is right; at least one is.
    """
    config: type[Scaling] = import_module(f"{__name__}.{kind}").Config
    return config.fit(scores, is_right)
