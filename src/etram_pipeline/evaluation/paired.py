"""Whether two detectors differ: the same draws of the recordings, for both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import ProtocolError
from etram_pipeline.core.metric_names import metric_names
from etram_pipeline.evaluation.comparison import differing_choices
from etram_pipeline.evaluation.intervals import Source, deviations, spread
from etram_pipeline.evaluation.matches import Matches
from etram_pipeline.evaluation.metrics import Value
from etram_pipeline.evaluation.protocol import BoxProtocol
from etram_pipeline.evaluation.resampling import Name, Resampled, resample
from etram_pipeline.evaluation.result import LEVEL, ROUNDS, Interval
from etram_pipeline.evaluation.tracks.result import TrackMetrics

Verdict = Literal["improved", "degraded", "undecided"]

_SEED = 1
_OTHER = Value("", "")  # such as precision at the operating point
_NO_SPREAD = (
    "the difference is the same in every draw of the recordings, which cannot show how much it "
    "varies: evaluate more recordings"
)
_Draws = Float64[np.ndarray, "_ N"]  # of every seed


class Difference(Settings):
    """How a value differs between two detectors.

    Attributes:
        before: The value of the first one; the mean over its seeds.
        after: The value of the second one.
        difference: `after` minus `before`.
        low: Lower end of the interval of the difference; None if there is none.
        high: Upper end.
        share_better: Share of the draws in which the second one is better, ties counted half;
            None without an interval.
        verdict: `improved` or `degraded` if the interval excludes 0, else `undecided`.
        num_labels: Labels that the value depends on.
        num_recordings: Recordings with such labels.
        caution: What the interval does not include, or why there is none; empty if nothing.
    """

    before: float
    after: float
    difference: float
    low: float | None = None
    high: float | None = None
    share_better: float | None = None
    verdict: Verdict = "undecided"
    num_labels: int
    num_recordings: int
    caution: str = ""


def compare_matches(
    before: Sequence[Matches],
    after: Sequence[Matches],
    rounds: int = ROUNDS,
    level: float = LEVEL,
) -> dict[str, Difference]:
    """Differences of all values that can be found from all matches, by name, such as `car/AP`.

    Both detectors are compared in the same draws of recordings. If a detector was trained with
    several seeds, the difference is that of the means over seeds, and seeds are drawn as well.

    Args:
        before: Of the first detector, one for each seed.
        after: Of the second one.
        rounds: Number of draws.
        level: Share of such intervals that cover the difference over all recordings of the kind
            and, with several seeds on both sides, all seeds.

    Raises:
        ProtocolError: If not all are of the same protocol, split, recordings, labels and classes.
        ValueError: If a side is empty.
    """
    if not before or not after:
        raise ValueError("both sides need at least one seed to compare")
    check_comparable([*before, *after])
    return compare_draws(draw_seeds(before, rounds), draw_seeds(after, rounds), level)


@dataclass(frozen=True)
class SeedDraws:
    """The values of a detector for draws of recordings that are the same for all detectors.

    Attributes:
        protocol: How the values were found.
        values: The values of every seed, by name; those that all seeds have.
    """

    protocol: BoxProtocol
    values: Mapping[Name, Sequence[Resampled]]

    @classmethod
    def of(cls, protocol: BoxProtocol, of_seeds: Sequence[Mapping[Name, Resampled]]) -> "SeedDraws":
        """The values that all of at least one seed have."""
        # Without operating scores, a seed has no values at the operating point.
        shared = [name for name in of_seeds[0] if all(name in values for values in of_seeds)]
        return cls(protocol, {name: [values[name] for values in of_seeds] for name in shared})


def draw_seeds(matches: Sequence[Matches], rounds: int = ROUNDS) -> SeedDraws:
    """The values that all seeds have; they take most of the time of a comparison.

    Args:
        matches: Of a detector, one for each seed; all on the same ground truth.
        rounds: Number of draws.
    """
    return SeedDraws.of(matches[0].protocol, [resample(each, rounds) for each in matches])


def compare_draws(
    before: SeedDraws, after: SeedDraws, level: float = LEVEL
) -> dict[str, Difference]:
    """Differences as `compare_matches` finds them, of seeds that are drawn already.

    Args:
        before: Of the first detector.
        after: Of the second one, on the same ground truth and with the same number of draws.
        level: As there.
    """
    names = metric_names(after.values)
    kinds = {value.name: value for value in before.protocol.values}
    pairs = {
        parts: (before.values[parts], after.values[parts])
        for parts in after.values
        if parts in before.values
    }
    return {
        names[parts]: _difference(sides, kinds.get(parts[-1], _OTHER), level)
        for parts, sides in pairs.items()
        if np.isfinite([side[0].values[0] for side in sides]).all()
    }


def find_mean_intervals(draws: SeedDraws, level: float = LEVEL) -> dict[str, Interval]:
    """Means over seeds with their intervals, by name; values without an interval are left out.

    Args:
        draws: The values of all seeds; with several, the intervals include the choice of seeds.
        level: Share of such intervals that cover the mean over all recordings and seeds.
    """
    names = metric_names(draws.values)
    found = {names[parts]: _mean_interval(each, level) for parts, each in draws.values.items()}
    return {name: interval for name, interval in found.items() if interval is not None}


def check_comparable(matches: Sequence[Matches | TrackMetrics]) -> None:
    """Refuse results that must not be compared with each other.

    Raises:
        ProtocolError: If not all are of the same protocol, split, recordings, labels and classes.
    """
    first = matches[0]
    for other in matches[1:]:
        if not first.protocol.same_as(other.protocol):
            raise ProtocolError(
                f"results of protocol {first.protocol.name!r} cannot be compared with those of "
                f"{other.protocol.name!r}: {differing_choices(first.protocol, other.protocol)}; "
                "evaluate both by the same protocol"
            )
        _check_same(
            "split", first.split, other.split, "set evaluate.split to the same value, and evaluate"
        )
        _check_same(
            "classes",
            ", ".join(first.class_names),
            ", ".join(other.class_names),
            "use the same `dataset` settings, and evaluate",
        )
        missing = sorted({*first.recordings} ^ {*other.recordings})
        if missing:
            raise ProtocolError(
                f"results on {counted(len(first.recordings), 'recording')} cannot be compared with "
                f"those on {len(other.recordings)}; only one side has {', '.join(missing[:5])}: "
                "evaluate both on the same recordings"
            )
        _check_same(
            "labels of fingerprint",
            first.ground_truth,
            other.ground_truth,
            "use the same label files and the same filters under `labels`, and evaluate",
        )


def _check_same(what: str, one: str, other: str, remedy: str) -> None:
    if one != other:
        raise ProtocolError(
            f"results with the {what} {one} cannot be compared with those with {other}: {remedy} "
            "both again"
        )


def _mean_interval(seeds: Sequence[Resampled], level: float) -> Interval | None:
    values = np.array([seed.values for seed in seeds])
    value, draws = float(values[:, 0].mean()), values[:, 1:]
    draws = draws[:, np.isfinite(draws).all(0)]
    num_recordings = seeds[0].num_recordings
    if num_recordings < 2 or not np.isfinite(value):  # noqa: PLR2004
        return None
    sources = [Source(draws.mean(0), num_recordings)]
    if len(draws) > 1:
        sources.append(Source(_drawn_seeds(draws, np.random.default_rng(_SEED)), len(draws)))
    low, high = spread(sources, level)
    if low == high:
        return None
    return Interval(value=value, low=max(value + low, 0.0), high=min(value + high, 1.0))


def _difference(
    sides: tuple[Sequence[Resampled], Sequence[Resampled]], kind: Value, level: float
) -> Difference:
    sign, most = 1 if kind.higher_is_better else -1, 1 - kind.lowest
    before, after = (np.array([seed.values for seed in side]) for side in sides)
    num_recordings = sides[0][0].num_recordings
    value = float(after[:, 0].mean() - before[:, 0].mean())
    caution = _caution(num_recordings, len(before), len(after))
    fields: dict[str, object] = {}
    if num_recordings > 1:
        sources = _sources(before[:, 1:], after[:, 1:], num_recordings)
        low, high = (value + end for end in spread(sources, level))
        if value and low == high:
            caution = _NO_SPREAD
        else:
            gains = sign * (value + deviations(sources))
            fields = {
                "low": max(low, -most),
                "high": min(high, most),
                "share_better": float(np.mean(gains > 0) + np.mean(gains == 0) / 2),
                "verdict": _verdict(sign * low, sign * high),
            }
    return Difference(
        before=before[:, 0].mean(),
        after=after[:, 0].mean(),
        difference=value,
        num_labels=int(sides[0][0].num_labels.sum()),
        num_recordings=num_recordings,
        caution=caution,
        **fields,
    )


def _sources(before: _Draws, after: _Draws, num_recordings: int) -> list[Source]:
    """What varies: the recordings, and the seeds of each side that has several."""
    is_known = np.isfinite(before).all(0) & np.isfinite(after).all(0)
    before, after = before[:, is_known], after[:, is_known]
    rng = np.random.default_rng(_SEED)
    seeds = [Source(_drawn_seeds(after, rng), len(after))] if len(after) > 1 else []
    if len(before) > 1:
        seeds.append(Source(-_drawn_seeds(before, rng), len(before)))
    return [Source(after.mean(0) - before.mean(0), num_recordings), *seeds]


def _drawn_seeds(draws: _Draws, rng: np.random.Generator) -> Float64[np.ndarray, " N"]:
    """How much the mean of seeds drawn with replacement deviates from that of all, in each draw."""
    number, rounds = draws.shape
    weights = rng.multinomial(number, np.full(number, 1 / number), rounds).T / number
    deviations: Float64[np.ndarray, " N"] = (weights * draws).sum(0) - draws.mean(0)
    return deviations


def _verdict(low: float, high: float) -> Verdict:
    if low > 0:
        return "improved"
    return "degraded" if high < 0 else "undecided"


def _caution(num_recordings: int, num_before: int, num_after: int) -> str:
    if num_recordings == 1:
        return (
            "all labels are in a single recording, which cannot show how much the difference "
            "varies between recordings: evaluate several"
        )
    single = {
        (True, True): "both sides are a single run",
        (True, False): "the side compared with is a single run",
        (False, True): "the new side is a single run",
    }.get((num_before == 1, num_after == 1))
    if single is None:
        return ""
    return (
        f"{single}, so the interval includes the choice of recordings, but not how much results "
        "vary from one training to another: only runs with several seeds show this"
    )
