"""Logistic curves over the logit of a score, and how they are fitted."""

import numpy as np
from jaxtyping import Bool, Float64

LARGEST_SLOPE = 20.0
"""Steepest curve; the flattest has its inverse."""
LARGEST_BIAS = 10.0
"""Largest shift of a logit, to either side."""

_NEAREST = 1e-7
"""Distance of scores from 0 and 1 in a fit, about that of single precision."""


def logistic(
    scores: Float64[np.ndarray, " N"], slope: float, bias: float
) -> Float64[np.ndarray, " N"]:
    """Scores whose logits are multiplied by `slope`, then increased by `bias`.

    Scores of 0 and 1 stay what they are. Other programs may give scores beyond: these count as 0
    and 1.
    """
    scores = np.clip(scores, 0, 1)
    with np.errstate(divide="ignore", over="ignore"):
        logits = slope * (np.log(scores) - np.log1p(-scores)) + bias
        scaled: Float64[np.ndarray, " N"] = 1 / (1 + np.exp(-logits))
    return scaled


def fit_slope(scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]) -> float:
    """The slope with the highest likelihood, without a bias."""
    from scipy.optimize import minimize_scalar

    logits, targets = _logits(scores), _targets(is_right)

    def loss(log_slope: float) -> float:
        return _loss(np.exp(log_slope) * logits, targets)

    limit = np.log(LARGEST_SLOPE)
    found = minimize_scalar(loss, bounds=(-limit, limit), options={"xatol": 1e-9})
    return float(np.exp(found.x))


def fit_slope_and_bias(
    scores: Float64[np.ndarray, " N"], is_right: Bool[np.ndarray, " N"]
) -> tuple[float, float]:
    """The slope and bias with the highest likelihood."""
    from scipy.optimize import minimize

    logits, targets = _logits(scores), _targets(is_right)

    def loss(parameters: Float64[np.ndarray, " 2"]) -> tuple[float, Float64[np.ndarray, " 2"]]:
        slope, bias = parameters
        shifted = slope * logits + bias
        excess = 1 / (1 + np.exp(-np.clip(shifted, -700, 700))) - targets
        gradient = np.array([np.mean(excess * logits), np.mean(excess)])
        return _loss(shifted, targets), gradient

    bounds = [(1 / LARGEST_SLOPE, LARGEST_SLOPE), (-LARGEST_BIAS, LARGEST_BIAS)]
    found = minimize(
        loss, np.array([1.0, 0.0]), jac=True, bounds=bounds, options={"ftol": 1e-15, "gtol": 1e-9}
    )
    slope, bias = found.x.tolist()
    return slope, bias


def _logits(scores: Float64[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    clipped = np.clip(scores, _NEAREST, 1 - _NEAREST)
    logits: Float64[np.ndarray, " N"] = np.log(clipped) - np.log1p(-clipped)
    return logits


def _targets(is_right: Bool[np.ndarray, " N"]) -> Float64[np.ndarray, " N"]:
    """Probabilities to reach, short of 0 and 1, so that few detections allow no certainty.

    Source: Platt, "Probabilistic Outputs for Support Vector Machines", 1999, section 2.2.
    """
    num_right = np.count_nonzero(is_right)
    num_wrong = len(is_right) - num_right
    return np.where(is_right, (num_right + 1) / (num_right + 2), 1 / (num_wrong + 2))


def _loss(logits: Float64[np.ndarray, " N"], targets: Float64[np.ndarray, " N"]) -> float:
    """Mean negative logarithm of the likelihood."""
    return float(np.mean(np.logaddexp(0, logits) - targets * logits))
