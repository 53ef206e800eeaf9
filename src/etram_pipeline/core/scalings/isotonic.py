"""The share of right detections itself, where it rises with the score."""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float64
from pydantic import Field, model_validator
from typing_extensions import override

from etram_pipeline.core.scalings import Scaling


class Config(Scaling):
    """Steps of equal probability, with straight lines in between.

    It follows any rising curve, but needs many detections: each step is as uncertain as the
    detections in it are few.

    Source: Zadrozny and Elkan, "Transforming Classifier Scores into Accurate Multiclass Probability
    Estimates", KDD 2002.

    Attributes:
        scores: Lowest and highest score of each step; ascending.
        shares: Share of right detections at each of these scores; it never falls.
    """

    kind: Literal["isotonic"] = "isotonic"
    scores: tuple[float, ...] = Field(min_length=1)
    shares: tuple[float, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _check_rising(self) -> "Config":
        pairs = [self.scores, self.shares]
        if len(self.scores) != len(self.shares) or any(
            list(each) != sorted(each) for each in pairs
        ):
            raise ValueError("scores and shares must be equally many and in ascending order")
        return self

    @override
    def curve(self, scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
        shares: Float64[np.ndarray, " N"] = np.interp(scores, self.scores, self.shares)
        return shares

    @override
    @classmethod
    def fit(cls, scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]) -> "Config":
        from scipy.optimize import isotonic_regression

        distinct, rows, counts = np.unique(scores, return_inverse=True, return_counts=True)
        shares = np.bincount(rows, is_right) / counts
        fitted = isotonic_regression(shares, weights=counts)
        first = fitted.blocks[:-1]
        last = fitted.blocks[1:] - 1
        ends = np.unique(np.concatenate([first, last]))
        return cls(scores=tuple(distinct[ends].tolist()), shares=tuple(fitted.x[ends].tolist()))
