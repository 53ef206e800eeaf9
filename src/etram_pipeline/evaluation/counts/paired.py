"""Whether two counts of the same traffic differ in their errors."""

from collections.abc import Callable

import numpy as np

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.evaluation.counts.ratios import Ratio, half_width
from etram_pipeline.evaluation.counts.result import CountMetrics, UnitCount

_RATIOS: dict[str, tuple[Callable[[UnitCount], int], Callable[[UnitCount], int]]] = {
    "recall": (lambda unit: unit.found, lambda unit: unit.true),
    "precision": (lambda unit: unit.found, lambda unit: unit.counted),
    "class_accuracy": (lambda unit: unit.same_class, lambda unit: unit.found),
    "error": (lambda unit: unit.counted - unit.true, lambda unit: unit.true),
}


class CountDifference(Settings):
    """How a value differs between two counts of the same traffic.

    Attributes:
        before: The value of the first one.
        after: The value of the second one.
        difference: `after` minus `before`.
        low: Lower end of the interval of the difference; None if there is none.
        high: Upper end.
        num_units: Recordings, or minutes of a single one, that the interval comes from.
    """

    before: float
    after: float
    difference: float
    low: float | None = None
    high: float | None = None
    num_units: int


def compare_count_metrics(before: CountMetrics, after: CountMetrics) -> dict[str, CountDifference]:
    """Differences of recall, precision, class accuracy and error, paired by recording.

    Both counts have the same recordings, so that the interval of a difference includes only how
    much the difference varies from one recording to another. There is none with fewer than three
    recordings, or three minutes of a single one, or if the difference is the same in all of them.

    Args:
        before: Errors of the first counts.
        after: Errors of the second ones.

    Raises:
        ProtocolError: If they do not have the same protocol, split, recordings and true crossings.
    """
    _check_comparable(before, after)
    found = {}
    for name, (above, below) in _RATIOS.items():
        one, other = (_ratio(side.units, above, below) for side in (before, after))
        if np.isfinite([one.value, other.value]).all():
            found[name] = _difference(one, other, before.protocol.level)
    return found


def _check_comparable(before: CountMetrics, after: CountMetrics) -> None:
    aspects = {
        "protocol": (before.protocol, after.protocol),
        "split": (before.split, after.split),
        "recordings": tuple([unit.name for unit in side.units] for side in (before, after)),
        "true crossings": tuple([unit.true for unit in side.units] for side in (before, after)),
    }
    for aspect, (one, other) in aspects.items():
        if one != other:
            raise ProtocolError(
                f"errors of counts with other {aspect} cannot be compared: evaluate both by the "
                "same protocol, on the same recordings, lines and labels"
            )


def _ratio(
    units: tuple[UnitCount, ...],
    above: Callable[[UnitCount], int],
    below: Callable[[UnitCount], int],
) -> Ratio:
    return Ratio(
        np.array([above(unit) for unit in units], np.float64),
        np.array([below(unit) for unit in units], np.float64),
    )


def _difference(before: Ratio, after: Ratio, level: float) -> CountDifference:
    value = after.value - before.value
    half = half_width(after.deviations - before.deviations, level)
    return CountDifference(
        before=before.value,
        after=after.value,
        difference=value,
        low=None if half is None else value - half,
        high=None if half is None else value + half,
        num_units=len(before.numerators),
    )
