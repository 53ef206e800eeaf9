"""Differences of counts in bins of time on the clock."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.evaluation.counts.flows import Compared, Crossings
from etram_pipeline.evaluation.counts.result import BinCount, BinErrors
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.traffic.bins import Bins, clock_bins

_GEH_BIN_MIN = 15
_GEH_GOOD = 5.0


def count_bins(
    compared: Compared, observed: Mapping[str, Observed], bins_min: Sequence[int]
) -> tuple[BinCount, ...]:
    """True and counted crossings of every line and direction in every bin observed.

    Args:
        compared: The crossings.
        observed: What was observed of each recording, in the order of their positions; bins are
            those of the clock where `started_at` is known.
        bins_min: Lengths of the bins, in minutes.
    """
    rows: list[BinCount] = []
    for position, (key, of_recording) in enumerate(observed.items()):
        mine = compared.among_recordings([position])
        for bin_min in bins_min:
            rows.extend(_rows(key, bin_min, mine, of_recording))
    return tuple(rows)


def find_errors(bins: Sequence[BinCount], bin_min: int) -> BinErrors:
    """Differences in the bins of one length.

    A flow has a GEH only if its bin of 15 minutes was observed whole, because a shorter time says
    little about an hour, and only with crossings, because 0 of 0 is no evidence.
    """
    mine = [each for each in bins if each.bin_min == bin_min]
    true = np.array([each.true for each in mine], np.float64)
    found = np.array([each.counted for each in mine], np.float64)
    off, some = np.abs(found - true), true > 0
    whole = np.array([each.observed_s >= each.bin_min * 60 for each in mine], np.bool_)
    flows = whole & (true + found > 0) & (bin_min == _GEH_BIN_MIN)
    per_hour = 60 / bin_min
    values = geh(found[flows] * per_hour, true[flows] * per_hour)
    return BinErrors(
        bin_min=bin_min,
        mean_absolute_error=_mean(off),
        num_bins=len(mine),
        mean_relative_error=_mean(off[some] / true[some]),
        num_relative=int(some.sum()),
        mean_geh=_mean(values),
        geh_below_5=_mean((values < _GEH_GOOD).astype(np.float64)),
        num_geh=int(flows.sum()),
    )


def geh(
    counted_per_hour: Float64[np.ndarray, " N"], true_per_hour: Float64[np.ndarray, " N"]
) -> Float64[np.ndarray, " N"]:
    """How far hourly flows lie apart, as traffic engineers state it; below 5 is acceptable.

    Source: Highways Agency, "Design Manual for Roads and Bridges", volume 12, section 2, part 1,
    chapter 4.
    """
    total = counted_per_hour + true_per_hour
    squares = 2 * (counted_per_hour - true_per_hour) ** 2 / np.where(total > 0, total, 1)
    values: Float64[np.ndarray, " N"] = np.sqrt(squares)
    return values


def _rows(key: str, bin_min: int, compared: Compared, observed: Observed) -> Iterator[BinCount]:
    bins = clock_bins(bin_min, observed, observed.started_at)
    true, found = (
        _table(side, bins, len(compared.flows)) for side in (compared.true, compared.counted)
    )
    for index, start_us in enumerate(bins.starts_us.tolist()):
        for flow, (line, direction) in enumerate(compared.flows):
            yield BinCount(
                recording=key,
                bin_min=bin_min,
                bin_start_s=start_us / 1e6,
                observed_s=float(bins.observed_s[index]),
                line=line,
                direction=direction,
                true=int(true[flow, index]),
                counted=int(found[flow, index]),
            )


def _table(crossings: Crossings, bins: Bins, num_flows: int) -> Int64[np.ndarray, "F B"]:
    """Number of crossings by flow and bin."""
    table = np.zeros((num_flows, len(bins.starts_us)), np.int64)
    np.add.at(table, (crossings.flow, bins.index(crossings.t_us)), 1)
    return table


def _mean(values: Float64[np.ndarray, " N"]) -> float | None:
    return float(values.mean()) if values.size else None
