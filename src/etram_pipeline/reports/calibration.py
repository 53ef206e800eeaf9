"""Whether scores can be trusted, in figures, a table and words."""

from collections.abc import Mapping
from dataclasses import dataclass

from etram_pipeline.analysis.reliability import Bin, CalibrationResult, Reliability
from etram_pipeline.core.counts import counted
from etram_pipeline.core.scalings import Scaling
from etram_pipeline.reports.tables import Table

_CLOSE = 0.05
"""Error below which scores are called probabilities."""
_HALF = 0.5


@dataclass(frozen=True)
class CalibrationSection:
    """Reliability of scores as the page shows it.

    Attributes:
        name: Protocol that tells which detections are right.
        facts: What the numbers say, and what to do.
        classes: By class.
    """

    name: str
    facts: tuple[str, ...]
    classes: Table


def calibration_section(results: Mapping[str, CalibrationResult]) -> CalibrationSection | None:
    """The section on calibration; None without detections that count."""
    for name, result in results.items():
        if result.overall.num_detections:
            return CalibrationSection(name, calibration_facts(result), calibration_table(result))
    return None


def calibration_table(result: CalibrationResult) -> Table:
    """One row for all detections and one for each class."""
    is_scaled = result.scaled_overall is not None
    scaled = {"all": result.scaled_overall, **result.scaled_per_class}
    rows = {"all": result.overall, **result.per_class}
    header = ("class", "detections", "mean score", "share right", "calibration error")
    return Table(
        header=(*header, "error when scaled") if is_scaled else header,
        rows=tuple(
            (
                name,
                found.num_detections,
                *_cells(found, found.mean_score, found.share_right, found.ece),
                *(_cells(found, each.ece) if (each := scaled.get(name)) is not None else ()),
            )
            for name, found in rows.items()
        ),
    )


def calibration_facts(result: CalibrationResult) -> tuple[str, ...]:
    """What the numbers say, in sentences; code is between backquotes."""
    found = result.overall
    what = "Scores" if not result.are_calibrated else "Calibrated scores"
    counted_ones = counted(found.num_detections, "detection")
    return (
        f"{what} differ from the share of right detections by {found.ece:.3f} on average "
        f"(expected calibration error of {counted_ones} with a score of at least "
        f"{result.lowest_score:.2g}; right from IoU {result.iou:g}).",
        *_direction(found),
        _remedy(result),
    )


def _direction(found: Reliability) -> tuple[str, ...]:
    """How scores are wrong, with an example."""
    if found.ece < _CLOSE:
        return ("Scores can be read as probabilities, within a few percent.",)
    low, high = (
        sum((each.share_right - each.mean_score) * each.num_detections for each in half)
        for half in (
            [each for each in found.bins if each.mean_score < _HALF],
            [each for each in found.bins if each.mean_score >= _HALF],
        )
    )
    texts = {
        (False, False): "Scores are too high",
        (True, True): "Scores are too low",
        (False, True): "Scores are not certain enough: low ones are too high, high ones too low",
        (True, False): "Scores are too certain: low ones are too low, high ones too high",
    }
    worst = max(found.bins, key=_error)
    return (
        f"{texts[low > 0, high > 0]}. Of the {counted(worst.num_detections, 'detection')} scored "
        f"{worst.low:.2f} to {worst.high:.2f}, {100 * worst.share_right:.0f} % are right.",
    )


def _remedy(result: CalibrationResult) -> str:
    if result.are_calibrated:
        return (
            "They were scaled as fitted in the validation of the training (`predict.calibrated`)."
        )
    if result.calibration is None or result.scaled_overall is None:
        return f"No scaling was tried: {result.no_calibration}."
    return (
        f"{_describe(result.calibration.scaling)}, fitted to "
        f"{counted(result.calibration.num_detections, 'detection')} in the validation recordings, "
        f"leaves an error of {result.scaled_overall.ece:.3f}. `predict.calibrated=true` applies "
        "the scaling that the checkpoint holds; average precision does not change."
    )


def _describe(scaling: Scaling) -> str:
    numbers = [f"{name} {value:.2f}" for name, value in scaling if isinstance(value, float | int)]
    return " and ".join(numbers).capitalize() or f"{scaling.kind.capitalize()} scaling"


def _error(each: Bin) -> float:
    return abs(each.share_right - each.mean_score) * each.num_detections


def _cells(found: Reliability, *values: float) -> tuple[float | None, ...]:
    return tuple(value if found.num_detections else None for value in values)
