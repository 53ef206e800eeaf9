"""How far a value may be off because the recordings are a sample: intervals by resampling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64
from scipy.special import ndtri, stdtrit

from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.resampling import Resampled, resample
from etram_pipeline.evaluation.result import LEVEL, ROUNDS, Interval, Metrics

SINGLE_RECORDING = (
    "there is a single recording, and one recording cannot show how much the value varies between "
    "recordings: evaluate several"
)
NO_SPREAD = "every value depends on a single recording, or is the same in every draw of them"
"""Why there may be no interval."""


def find_intervals(
    matches: Matches, rounds: int = ROUNDS, level: float = LEVEL
) -> dict[str, Interval]:
    """Intervals of all values that can be found from matches, by name, such as `car/AP`.

    The recordings are drawn with replacement, because the frames of one recording resemble each
    other. A value without an interval is left out: it depends on the labels of a single recording,
    or is the same in every draw.

    Args:
        matches: Of the detections of one detector.
        rounds: Number of draws.
        level: Share of such intervals that cover the value of all recordings of the kind.
    """
    values = resample(matches, rounds)
    names = metric_names(values)
    found = {names[parts]: interval_of(each, level) for parts, each in values.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def why_no_intervals(matches: Matches) -> str:
    """Why there is no interval; empty if there is one."""
    if not matches.rankings and matches.operating is None:
        return "no metric of the protocol can be computed for other draws of the recordings"
    if len(matches.recordings) == 1:
        return SINGLE_RECORDING
    return ""


def with_intervals(
    metrics: Metrics, matches: Matches, rounds: int = ROUNDS, level: float = LEVEL
) -> Metrics:
    """Metrics with the intervals of their values, or with the reason why there are none.

    Args:
        metrics: Of the detections of one detector.
        matches: Of the same detections, by the same protocol.
        rounds: Number of draws; 0: no intervals.
        level: Share of such intervals that cover the value of all recordings of the kind.
    """
    missing = why_no_intervals(matches) if rounds else "evaluate.intervals.rounds is 0"
    found = {} if missing else find_intervals(matches, rounds, level)
    if not found and not missing:
        missing = NO_SPREAD
    return metrics.model_copy(
        update={"intervals": found, "interval_level": level, "no_intervals": missing}
    )


def interval_of(found: Resampled, level: float, lowest: float = 0.0) -> Interval | None:
    """Interval of a value; None if it depends on one recording, or is the same in every draw.

    Two recordings are enough: `spread` widens the interval as few recordings require.

    Args:
        found: The value and its draws.
        level: Share of such intervals that cover the value of all recordings of the kind.
        lowest: Least value there can be.
    """
    value, draws = float(found.values[0]), found.values[1:]
    draws = draws[np.isfinite(draws)]
    if found.num_recordings < 2 or not len(draws) or not np.ptp(draws):  # noqa: PLR2004
        return None
    low, high = spread([Source(draws, found.num_recordings)], level)
    return Interval(value=value, low=max(value + low, lowest), high=min(value + high, 1.0))


@dataclass(frozen=True)
class Source:
    """Something that is resampled, such as the recordings, and how a value varies with it.

    Attributes:
        draws: The value in every draw.
        number: How many of them there are to draw from; at least 2.
    """

    draws: Float64[np.ndarray, " N"]
    number: int

    @property
    def deviations(self) -> Float64[np.ndarray, " N"]:
        """Deviations from the mean; draws from n of them vary too little, by (n - 1) / n."""
        scale = math.sqrt(self.number / (self.number - 1))
        scaled: Float64[np.ndarray, " N"] = (self.draws - self.draws.mean()) * scale
        return scaled


def deviations(sources: Sequence[Source]) -> Float64[np.ndarray, " N"]:
    """Deviations of the value in every draw, of all sources together."""
    summed: Float64[np.ndarray, " N"] = np.sum([each.deviations for each in sources], axis=0)
    return summed


def spread(sources: Sequence[Source], level: float) -> tuple[float, float]:
    """Ends of an interval, relative to the value, that covers what the sources contribute.

    The ends are quantiles of the deviations, widened as Student's t distribution is wider than the
    normal one, because few recordings also show little about how much they vary. Of several
    sources the degrees of freedom are those of Welch and Satterthwaite.

    Source: Hesterberg, "What Teachers Should Know About the Bootstrap", The American Statistician
    69 (2015), section 4; it moves the quantiles, which few recordings do not reach.
    """
    variances = np.array([source.deviations.var() for source in sources])
    freedoms = np.array([source.number - 1 for source in sources])
    outside = (1 - level) / 2
    low, high = np.quantile(deviations(sources), [outside, 1 - outside]).tolist()
    if not variances.sum():
        return 0.0, 0.0
    freedom = float(variances.sum() ** 2 / (variances**2 / freedoms).sum())
    widening = float(stdtrit(freedom, outside) / ndtri(outside))
    return widening * low, widening * high
