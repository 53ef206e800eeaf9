"""Student's t distribution, by which few observations widen an interval."""

import math
from statistics import NormalDist

_STEPS = 200
_TINY = 1e-300
_PRECISION = 1e-15


def normal_quantile(probability: float) -> float:
    """The value that a standard normal variable stays below with a probability."""
    return NormalDist().inv_cdf(probability)


def student_quantile(probability: float, degrees: float) -> float:
    """The value that a variable with Student's t distribution stays below with a probability.

    Found by halving, to double precision: the distribution function is known, its inverse is not.

    Args:
        probability: Above 0.5 and below 1.
        degrees: Degrees of freedom, above 0; not necessarily a whole number.
    """
    low, high = 0.0, 1.0
    while _student_cdf(high, degrees) < probability:
        low, high = high, 2 * high
    for _ in range(_STEPS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _student_cdf(middle, degrees) < probability else (low, middle)
    return high


def _student_cdf(value: float, degrees: float) -> float:
    """Probability to stay below a value of at least 0."""
    outside = _incomplete_beta(degrees / 2, 0.5, degrees / (degrees + value**2))
    return 1 - outside / 2


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """Regularised incomplete beta function.

    Source: Press et al., "Numerical Recipes", 3rd edition, section 6.4.
    """
    if x in (0.0, 1.0):
        return x
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    front = math.exp(log_front + a * math.log(x) + b * math.log1p(-x))
    if x < (a + 1) / (a + b + 2):
        return front * _continued_fraction(a, b, x) / a
    return 1 - front * _continued_fraction(b, a, 1 - x) / b


def _continued_fraction(a: float, b: float, x: float) -> float:
    """Continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1 / _not_zero(1 - (a + b) * x / (a + 1))
    result = d
    for step in range(1, _STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        for term in (even, odd):
            d, c = 1 / _not_zero(1 + term * d), _not_zero(1 + term / c)
            result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _not_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
