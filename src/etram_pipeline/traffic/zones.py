"""How zones are used in each bin of time."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.traffic.bins import Bins
from etram_pipeline.traffic.quantiles import grouped_quantile
from etram_pipeline.traffic.queues import Queued
from etram_pipeline.traffic.stays import Stays

MEDIAN, HIGH_SHARE, QUEUE_SHARE = 0.5, 0.85, 0.95


@dataclass(frozen=True, eq=False)
class ZoneUse:
    """Use of one zone by one class, by bin; NaN where there is nothing to measure.

    Attributes:
        entries: Stays that begin in the bin, also those of tracks that begin in the zone.
        occupied: Share of the observed time with anybody inside.
        mean_number: Mean number inside over the observed time.
        dwell_median_s: Median length of the stays that begin in the bin. Stays that begin or end
            with their track last longer than was seen.
        dwell_p85_s: 85th percentile of these.
        queue_mean: Mean number of slow road users inside, seen once a second.
        queue_p95: 95th percentile of this number.
        queue_max: Largest number.
        queue_p95_m: 95th percentile of the distance in metres from the edge by which most leave to
            the farthest slow road user; NaN without known ground.
    """

    entries: Int64[np.ndarray, " B"]
    occupied: Float64[np.ndarray, " B"]
    mean_number: Float64[np.ndarray, " B"]
    dwell_median_s: Float64[np.ndarray, " B"]
    dwell_p85_s: Float64[np.ndarray, " B"]
    queue_mean: Float64[np.ndarray, " B"]
    queue_p95: Float64[np.ndarray, " B"]
    queue_max: Float64[np.ndarray, " B"]
    queue_p95_m: Float64[np.ndarray, " B"]


def zone_use(
    found: Stays,
    waiting: Queued,
    seconds_us: Int64[np.ndarray, " S"],
    bins: Bins,
    *,
    has_ground: bool,
) -> ZoneUse:
    """Use of a zone by bin.

    Args:
        found: Stays in this zone.
        waiting: Slow road users in this zone at each second.
        seconds_us: The seconds.
        bins: Bins of time.
        has_ground: Whether places on the ground are known.
    """
    num_bins = len(bins.starts_us)
    enter, leave = found["enter"], found["leave"]
    entered, stay_s = bins.index(enter), (leave - enter) / 1e6
    with np.errstate(divide="ignore", invalid="ignore"):
        occupied, mean_number = (
            np.diff(_time_inside_s(*spans, bins.edges_us)) / bins.observed_s
            for spans in (_merged(enter, leave), (enter, leave))
        )
    second = np.searchsorted(seconds_us, waiting["t"])
    number = np.bincount(second, minlength=len(seconds_us)).astype(np.float64)
    farthest = np.zeros(len(seconds_us))
    with np.errstate(invalid="ignore"):  # an unknown distance makes that of its second unknown
        np.maximum.at(farthest, second, waiting["metres"].astype(np.float64))
    of_second = bins.index(seconds_us)
    is_measured = has_ground & ~np.isin(of_second, of_second[np.isnan(farthest)])
    mean, largest = _mean_and_largest(number, of_second, num_bins)
    return ZoneUse(
        entries=np.bincount(entered, minlength=num_bins),
        occupied=occupied,
        mean_number=mean_number,
        dwell_median_s=grouped_quantile(stay_s, entered, num_bins, MEDIAN),
        dwell_p85_s=grouped_quantile(stay_s, entered, num_bins, HIGH_SHARE),
        queue_mean=mean,
        queue_p95=grouped_quantile(number, of_second, num_bins, QUEUE_SHARE),
        queue_max=largest,
        queue_p95_m=grouped_quantile(
            farthest[is_measured], of_second[is_measured], num_bins, QUEUE_SHARE
        ),
    )


def _merged(
    enter: Int64[np.ndarray, " S"], leave: Int64[np.ndarray, " S"]
) -> tuple[Int64[np.ndarray, " M"], Int64[np.ndarray, " M"]]:
    """Times with anybody inside."""
    order = np.argsort(enter, kind="stable")
    enter, until = enter[order], np.maximum.accumulate(leave[order])
    begins = np.flatnonzero(np.append(True, enter[1:] > until[:-1])[: len(enter)])
    ends = np.append(begins[1:], len(enter)) - 1
    return enter[begins], until[ends[: len(begins)]]


def _time_inside_s(
    enter: Int64[np.ndarray, " S"], leave: Int64[np.ndarray, " S"], at_us: Int64[np.ndarray, " E"]
) -> Float64[np.ndarray, " E"]:
    """Time spent inside until each moment, added up over stays, in seconds."""
    inside_us = _time_since(enter, at_us) - _time_since(leave, at_us)
    inside_s: Float64[np.ndarray, " E"] = inside_us / 1e6
    return inside_s


def _time_since(
    events_us: Int64[np.ndarray, " S"], at_us: Int64[np.ndarray, " E"]
) -> Int64[np.ndarray, " E"]:
    """Time since all earlier events, added up, in microseconds."""
    ordered = np.sort(events_us)
    number = np.searchsorted(ordered, at_us)
    total = np.append(0, np.cumsum(ordered))[number]
    since: Int64[np.ndarray, " E"] = number * at_us - total
    return since


def _mean_and_largest(
    values: Float64[np.ndarray, " N"], groups: Int64[np.ndarray, " N"], num_groups: int
) -> tuple[Float64[np.ndarray, " G"], Float64[np.ndarray, " G"]]:
    number = np.bincount(groups, minlength=num_groups)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(groups, weights=values, minlength=num_groups) / number
    largest = np.where(number > 0, 0.0, np.nan)
    np.maximum.at(largest, groups, values)
    return mean, largest
