"""Counted crossings compared with the true ones."""

from collections.abc import Mapping, Sequence

from etram_pipeline.core.counts import counted as in_words
from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.evaluation.counts.bins import count_bins, find_errors
from etram_pipeline.evaluation.counts.flows import Compared, pair_crossings
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.ratios import Ratio, half_width, wilson
from etram_pipeline.evaluation.counts.result import CountMetrics, CountScores, Share
from etram_pipeline.evaluation.counts.units import Units, find_units
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.traffic.crossings import Crossings

_LOWEST_ERROR = -1.0
"""Error if nothing is counted."""


def compare_counts(  # what is compared, and where, when and how
    true: Mapping[str, Crossings],
    counted: Mapping[str, Crossings],
    observed: Mapping[str, Observed],
    class_names: Sequence[str],
    protocol: CountProtocol,
    split: str = "test",
) -> CountMetrics:
    """Error of counted crossings.

    A counted crossing is right if there is a true one of the same line and direction within the
    protocol's time. Each true one is found once at most. Classes do not matter for this; whether
    they agree is `class_accuracy`.

    Args:
        true: True crossings by recording, such as those of labelled tracks by the same rules.
        counted: Counted crossings of the same recordings.
        observed: What was observed of each of these recordings; `started_at` places bins on the
            clock.
        class_names: Name of each class id.
        protocol: What counts as right, and the lengths of bins.
        split: The recordings, the first part of the names of metrics.

    Raises:
        ValueError: If the three are not of the same recordings, or there are none.
    """
    _check_recordings(true, counted, observed)
    true, counted = ({key: side[key] for key in observed} for side in (true, counted))
    compared = pair_crossings(true, counted, round(protocol.within_s * 1e6))
    units, level = find_units(observed, range(len(observed))), protocol.level
    overall = _scores(compared, units, level)
    bins = count_bins(compared, observed, protocol.bins_min)
    return CountMetrics(
        protocol=protocol,
        split=split,
        overall=overall,
        groups=_by_lighting(compared, observed, level),
        per_line=_by_line(compared, units, level),
        per_direction=_by_direction(compared, units, level),
        per_class=_by_class(compared, units, class_names, level),
        bin_errors=tuple(find_errors(bins, each) for each in protocol.bins_min),
        bins=bins,
        unit=units.unit,
        units=units.count(compared),
        no_interval=_why_none(overall, units, compared),
        num_recordings=len(observed),
        observed_s=sum(each.stop_us - each.start_us for each in observed.values()) / 1e6,
    )


def _check_recordings(
    true: Mapping[str, Crossings],
    counted: Mapping[str, Crossings],
    observed: Mapping[str, Observed],
) -> None:
    if not observed:
        raise ValueError("there are no recordings whose counts could be compared")
    differing = (true.keys() ^ observed.keys()) | (counted.keys() ^ observed.keys())
    if differing:
        shown = ", ".join(sorted(differing)[:5])
        raise ValueError(
            "true crossings, counted ones or what was observed are missing for "
            f"{in_words(len(differing), 'recording')}: {shown}; give all three for the same ones"
        )


def _scores(compared: Compared, units: Units, level: float) -> CountScores:
    true, found = compared.true, compared.counted
    num_found = int(true.is_paired.sum())
    error = (len(found) - len(true)) / len(true) if len(true) else None
    half = _half_width(compared, units, level)
    low, high = None, None
    if error is not None and half is not None:
        low, high = max(error - half, _LOWEST_ERROR), error + half
    return CountScores(
        true=len(true),
        counted=len(found),
        recall=_share(num_found, len(true), level),
        precision=_share(int(found.is_paired.sum()), len(found), level),
        class_accuracy=_share(int(true.is_same_class.sum()), num_found, level),
        error=error,
        error_low=low,
        error_high=high,
    )


def _half_width(compared: Compared, units: Units, level: float) -> float | None:
    """Half of the interval of the error; None without one."""
    number = units.numbers(compared.true)
    if not number.sum():
        return None
    ratio = Ratio(units.numbers(compared.counted) - number, number)
    return half_width(ratio.deviations, level)


def _share(hits: int, number: int, level: float) -> Share | None:
    if not number:
        return None
    low, high = wilson(hits, number, level)
    return Share(value=hits / number, low=low, high=high, number=number)


def _why_none(overall: CountScores, units: Units, compared: Compared) -> str:
    if overall.error_low is not None:
        return ""
    if not overall.true:
        return "no line was crossed, so that there is nothing to compare counts with"
    if units.too_few:
        return units.too_few
    if not units.numbers(compared.true).any():
        return "lines were crossed after the last whole minute only: count for longer"
    return (
        f"the error is the same in every {units.unit}, which cannot show how much it varies: "
        "count more of them"
    )


def _by_lighting(
    compared: Compared, observed: Mapping[str, Observed], level: float
) -> dict[str, CountScores]:
    found = {}
    for name, chosen in recordings_by_lighting(observed).items():
        positions = chosen.nonzero()[0].tolist()
        units = find_units(observed, positions)
        found[name] = _scores(compared.among_recordings(positions), units, level)
    return found


def _by_line(compared: Compared, units: Units, level: float) -> dict[str, CountScores]:
    lines = dict.fromkeys(line for line, _ in compared.flows)
    return {
        line: _scores(
            compared.among_flows([k for k, flow in enumerate(compared.flows) if flow[0] == line]),
            units,
            level,
        )
        for line in lines
    }


def _by_direction(
    compared: Compared, units: Units, level: float
) -> dict[str, dict[str, CountScores]]:
    found: dict[str, dict[str, CountScores]] = {}
    for position, (line, direction) in enumerate(compared.flows):
        scores = _scores(compared.among_flows([position]), units, level)
        found.setdefault(line, {})[direction] = scores
    return found


def _by_class(
    compared: Compared, units: Units, class_names: Sequence[str], level: float
) -> dict[str, CountScores]:
    found = {}
    for class_id, name in enumerate(class_names):
        of_class = compared.of_class(class_id)
        if len(of_class.true) or len(of_class.counted):
            found[name] = _scores(of_class, units, level)
    return found
