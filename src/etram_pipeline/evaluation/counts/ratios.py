"""How far shares and ratios of sums may be off because what was observed is a sample."""

import math
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri, stdtrit

FEWEST_UNITS = 3
"""Units, such as recordings, from which a ratio has an interval."""

_ROUNDING = 1e-12

_Units = Float64[np.ndarray, " U"]


@dataclass(frozen=True)
class Ratio:
    """A sum divided by another one.

    Attributes:
        numerators: What is added up above the line, one value per unit.
        denominators: What is added up below it.
    """

    numerators: _Units
    denominators: _Units

    @property
    def value(self) -> float:
        """The ratio; not a number if it divides by zero."""
        below = float(self.denominators.sum())
        return float(self.numerators.sum()) / below if below else math.nan

    @property
    def deviations(self) -> _Units:
        """By how much each unit moves the ratio, times the number of units: its linearisation."""
        residuals = self.numerators - self.value * self.denominators
        deviations: _Units = residuals / self.denominators.mean()
        return deviations


def half_width(deviations: _Units, level: float) -> float | None:
    """Half of the width of the interval of a ratio, or of a difference of ratios of the same units.

    The ends are those of Student's t distribution. With 4 to 30 units of road traffic such
    intervals cover the value about as often as `level` says, while percentiles of resampled units
    cover it less often.

    Args:
        deviations: Of the ratio, or those of one ratio minus those of the other.
        level: Share of such intervals that cover the value of all units of the kind.

    Returns:
        None with fewer than `FEWEST_UNITS` units, or if all are alike, which cannot show how much
        they vary.

    Source: Cochran, "Sampling Techniques" (1977), section 6.4.
    """
    number = len(deviations)
    if number < FEWEST_UNITS:
        return None
    error = float(np.sqrt((deviations**2).sum() / (number * (number - 1))))
    half = float(stdtrit(number - 1, (1 + level) / 2)) * error
    return half if half > _ROUNDING else None


def wilson(hits: int, number: int, level: float) -> tuple[float, float]:
    """Interval of a share of independent cases; from 0 to 1 if there are none.

    Source: Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", Journal
    of the American Statistical Association 22 (1927).
    """
    if not number:
        return 0.0, 1.0
    z, share = float(ndtri((1 + level) / 2)), hits / number
    middle = share + z**2 / (2 * number)
    half = z * math.sqrt(share * (1 - share) / number + (z / (2 * number)) ** 2)
    scale = 1 + z**2 / number
    low = (middle - half) / scale if hits else 0.0  # without rounding errors
    high = (middle + half) / scale if hits < number else 1.0
    return low, high
