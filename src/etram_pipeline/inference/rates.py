"""Rates of windows in settings; in a module of its own, so that reading settings is fast."""

from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, PositiveInt

Values = TypeVar("Values", bound=tuple[object, ...])

WindowLength = Literal["step", "trained"]
"""How long windows are: as the time from one to the next, or as in training."""


def distinct(values: Values) -> Values:
    """The values, none of which may be there twice.

    Raises:
        ValueError: If one is.
    """
    if len(set(values)) < len(values):
        raise ValueError(f"{list(values)} names a value twice: list each once")
    return values


def _check_rates(rates: tuple[int, ...]) -> tuple[int, ...]:
    uneven = [rate for rate in rates if 1000 % rate]
    if uneven:
        raise ValueError(
            f"{uneven} do not divide 1000, but windows end at whole milliseconds: choose rates "
            "such as 10, 20, 25, 40, 50, 100, 125 or 200"
        )
    return rates


WindowRates = Annotated[
    tuple[PositiveInt, ...], AfterValidator(distinct), AfterValidator(_check_rates)
]
"""Windows a second; each divides 1000."""

WindowLengths = Annotated[tuple[WindowLength, ...], AfterValidator(distinct)]
