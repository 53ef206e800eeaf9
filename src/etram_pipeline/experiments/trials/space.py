"""The values that a search may try."""

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Any

from etram_pipeline.experiments.definition import SearchRange
from etram_pipeline.yaml_files import ConfigurationError

_ROUNDING = 1e-9


def listed_values(tried: SearchRange) -> tuple[Any, ...] | None:
    """All values of a range; None if there are too many to list them."""
    if tried.choices is not None:
        return tried.choices
    if tried.step is None or tried.low is None:
        return None
    places = range(num_steps(tried) + 1)
    return tuple(rounded(tried.low + place * tried.step) for place in places)


def num_steps(tried: SearchRange) -> int:
    """Steps between the bounds of a range that has steps."""
    if tried.low is None or tried.high is None or tried.step is None:
        raise ValueError("the range has no steps")
    return math.floor((tried.high - tried.low) / tried.step + _ROUNDING)


def rounded(value: int | float, digits: int = 12) -> int | float:
    """A number with a limited number of significant digits, so that commands stay readable."""
    return value if isinstance(value, int) else float(f"{value:.{digits}g}")


def combinations(ranges: Mapping[str, SearchRange]) -> Iterator[dict[str, Any]]:
    """Every combination of the listed values, the last parameter changing fastest.

    Raises:
        ConfigurationError: If the values of a parameter cannot be listed.
    """
    values = {key: listed_values(tried) for key, tried in ranges.items()}
    endless = [key for key, listed in values.items() if listed is None]
    if endless:
        raise ConfigurationError(
            f"the values of {', '.join(endless)} cannot be listed: say how many trials to run, "
            "such as `--trials 20`, or give `choices` or a `step` to try all combinations"
        )
    for combination in itertools.product(*(listed or () for listed in values.values())):
        yield dict(zip(values, combination, strict=True))


def contains(tried: SearchRange, value: object) -> bool:
    """Whether a search may try a value."""
    listed = listed_values(tried)
    if listed is not None:
        return value in listed
    if not isinstance(value, int | float) or tried.low is None or tried.high is None:
        return False
    return tried.low <= value <= tried.high
