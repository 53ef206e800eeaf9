"""Scores of a detector relative to those without a change, as rows of tables and as metrics."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.metric_names import metric_name
from etram_pipeline.evaluation.intervals import Source, spread
from etram_pipeline.evaluation.paired import SeedDraws
from etram_pipeline.evaluation.result import Metrics

Row = dict[str, str | int | float | None]
"""Column names and values of one row of a table."""


@dataclass(frozen=True)
class Estimate:
    """A value with its interval.

    Attributes:
        value: The value; NaN where it does not exist.
        low: Lower end of the interval; None without an interval.
        high: Upper end, likewise.
    """

    value: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Relative:
    """A value after a change, beside the one without it, in the same frames.

    Attributes:
        clean: The value without the change.
        changed: The value with it.
        ratio: `changed` by `clean`.
        difference: `changed` minus `clean`.
    """

    clean: Estimate
    changed: Estimate
    ratio: Estimate
    difference: Estimate


@dataclass(frozen=True)
class RobustnessScore:
    """How well a detector does with one change of one severity.

    Attributes:
        change: The change, such as `drop` or `rate_step`.
        severity: Its strength.
        unit: Unit of the severity.
        severity_name: Both in a name of a metric, such as `50_percent`.
        values: The headline values of the protocol, by name.
        metrics: All metrics with the change.
    """

    change: str
    severity: float
    unit: str
    severity_name: str
    values: Mapping[str, Relative]
    metrics: Metrics


def compare_with_clean(
    clean: SeedDraws, changed: SeedDraws, names: Iterable[str], level: float
) -> dict[str, Relative]:
    """Values of both sides, and ratio and difference with intervals over recordings.

    Both sides are compared in the same draws of recordings, so what recordings have in common with
    and without the change does not widen the intervals.

    Args:
        clean: Values of one detector without the change.
        changed: Values of the same detector with it, at the same labels.
        names: The values wanted, of all recordings; those that a side lacks are left out.
        level: Share of such intervals that cover the value of all recordings of the kind.
    """
    found = {}
    for name in names:
        if (name,) not in clean.values or (name,) not in changed.values:
            continue
        (before,), (after,) = clean.values[name,], changed.values[name,]
        num_recordings = before.num_recordings
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = after.values / before.values
        ratio[~np.isfinite(ratio)] = np.nan
        found[name] = Relative(
            clean=_estimate(before.values, num_recordings, level),
            changed=_estimate(after.values, num_recordings, level),
            ratio=_estimate(ratio, num_recordings, level),
            difference=_estimate(after.values - before.values, num_recordings, level, -1.0),
        )
    return found


def robustness_rows(scores: Iterable[RobustnessScore]) -> list[Row]:
    """One row for each change and severity."""
    rows: list[Row] = []
    for score in scores:
        row: Row = {
            "change": score.change,
            "severity": score.severity,
            "unit": score.unit,
            "frames": score.metrics.num_frames,
            "labels": score.metrics.num_labels,
        }
        for name, value in score.values.items():
            row |= {f"{name}_clean": value.clean.value}
            row |= _columns(name, value)
        rows.append(row)
    return rows


def robustness_numbers(scores: Iterable[RobustnessScore]) -> dict[str, float]:
    """Metrics such as `test/coco/robustness/drop/50_percent/AP_ratio`, and ends of intervals."""
    return {
        metric_name(
            score.metrics.split,
            score.metrics.protocol.name,
            "robustness",
            score.change,
            score.severity_name,
            column,
        ): number
        for score in scores
        for name, value in score.values.items()
        for column, number in _columns(name, value).items()
        if isinstance(number, float) and np.isfinite(number)
    }


def _columns(name: str, value: Relative) -> Row:
    parts = {name: value.changed, f"{name}_ratio": value.ratio}
    parts[f"{name}_difference"] = value.difference
    columns: Row = {}
    for column, estimate in parts.items():
        ends = {f"{column}_low": estimate.low, f"{column}_high": estimate.high}
        columns |= {column: estimate.value, **ends}
    return columns


def _estimate(
    values: Float64[np.ndarray, " N"], num_recordings: int, level: float, lowest: float = 0.0
) -> Estimate:
    """The first of the values, with an interval that the others, of the draws, tell."""
    value, draws = float(values[0]), values[1:]
    draws = draws[np.isfinite(draws)]
    if num_recordings < 2 or not len(draws) or not np.ptp(draws):  # noqa: PLR2004
        return Estimate(value)
    low, high = spread([Source(draws, num_recordings)], level)
    return Estimate(value, max(value + low, lowest), value + high)
