"""What of the counts to distrust, and why."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int64

from etram_pipeline.core.counts import counted_of
from etram_pipeline.tracks.table import BRIDGED, RESTED, TrackTable
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.default_sites import border_site
from etram_pipeline.traffic.homography import LARGE_RESIDUAL_M
from etram_pipeline.traffic.shapes import LEAST_OF_GROUND
from etram_pipeline.traffic.site import UNKNOWN

LEAST_HEIGHT_PX = 10
"""Boxes below it jump by their own height."""

_LARGE_SHARE = 0.1
_BORDER = 0.02
"""Boxes as near to the border of the picture are at it, as a share of its width."""

_STANDS_OVER_US, _STANDS = 500_000, 0.25
"""A road user stands if it moves by less than this share of its box size in that time."""


@dataclass(frozen=True)
class Doubt:
    """Something to know before trusting counts.

    Attributes:
        is_warning: Whether it may change what the counts say.
        title: What it is about.
        text: What was found, and what it means.
    """

    is_warning: bool
    title: str
    text: str


def find_doubts(traffic: Traffic) -> list[Doubt]:
    """What to know before trusting the counts of a recording, warnings first."""
    found = [
        doubt
        for part in (_site, _gaps, _movements, _ends, _heights, _bins, _ground)
        for doubt in part(traffic)
    ]
    return sorted(found, key=lambda doubt: not doubt.is_warning)


def _site(traffic: Traffic) -> Iterator[Doubt]:
    observed = traffic.observed
    if traffic.site == border_site(observed.width, observed.height):
        text = (
            "No lines were drawn: those counted at lie along the border of the picture. Draw your "
            "own in site.html, beside this page, to count where it matters."
        )
        yield Doubt(is_warning=False, title="Lines", text=text)


def _gaps(traffic: Traffic) -> Iterator[Doubt]:
    states = traffic.crossings["state"]
    bridged, rested = int((states == BRIDGED).sum()), int((states == RESTED).sum())
    if not len(states):
        text = "No line was crossed. If there was traffic, move the lines to where it passes."
        yield Doubt(is_warning=True, title="No crossings", text=text)
        return
    text = (
        f"{counted_of(bridged + rested, len(states), 'crossing')} in a gap, where the road user "
        f"was not detected ({bridged} while moving, {rested} while standing): their time and "
        "place lie on a straight line between detections."
    )
    is_warning = bridged + rested > _LARGE_SHARE * len(states)
    yield Doubt(is_warning=is_warning, title="Crossings in gaps", text=text)


def _movements(traffic: Traffic) -> Iterator[Doubt]:
    found = traffic.movements
    unknown = int(((found["origin"] == UNKNOWN) | (found["destination"] == UNKNOWN)).sum())
    if len(found):
        text = (
            f"{counted_of(unknown, len(found), 'movement')} with an unknown end: the road user "
            "crossed one line only, began or stopped between lines, or its track broke."
        )
        is_warning = unknown > _LARGE_SHARE * len(found)
        yield Doubt(is_warning=is_warning, title="Unknown ends", text=text)


def _ends(traffic: Traffic) -> Iterator[Doubt]:
    tracks = traffic.tracks
    if not len(tracks):
        return
    order = np.lexsort((tracks["t"], tracks["track_id"]))
    last = np.flatnonzero(np.diff(tracks["track_id"][order].astype(np.int64), append=-1))
    ends = tracks[order[last]]
    # A track that ends with the recording says nothing.
    ends_early = ends["t"] < traffic.observed.stop_us - 1_000_000
    lost = last[_is_inside(ends, traffic) & ends_early]
    stands = int(_stood(tracks, order, lost).sum())
    text = (
        f"{counted_of(len(lost), len(last), 'track')} ending inside the picture: hidden, lost, or "
        f"standing. {stands} of them stood, and nothing that set off there later continued them."
    )
    is_warning = len(lost) > _LARGE_SHARE * len(last)
    yield Doubt(is_warning=is_warning, title="Broken and resting tracks", text=text)


def _heights(traffic: Traffic) -> Iterator[Doubt]:
    found = traffic.crossings
    medians = {
        name: float(np.median(own))
        for name in traffic.site.lines
        if len(own := found["height_px"][found["line"] == name])
    }
    if not medians:
        return
    small = [name for name, height in medians.items() if height < LEAST_HEIGHT_PX]
    listed = ", ".join(f"{name} {height:.0f} px" for name, height in medians.items())
    text = f"Median height of boxes at each line: {listed}."
    if small:
        text += (
            f" Boxes below {LEAST_HEIGHT_PX} px jump by their own size: move {', '.join(small)} "
            "nearer to the camera."
        )
    yield Doubt(is_warning=bool(small), title="Size at lines", text=text)


def _bins(traffic: Traffic) -> Iterator[Doubt]:
    parts = []
    for bins in traffic.bins:
        partial = int((bins.observed_s < bins.length_us / 1e6 - 1e-6).sum())
        parts.append(f"{partial} of {len(bins.observed_s)} of {bins.minutes} min")
    text = (
        f"Bins observed only in part: {', '.join(parts)}. The tables say how many seconds of each "
        "were observed, and compute hourly flows from those."
    )
    yield Doubt(is_warning=False, title="Bins", text=text)


def _ground(traffic: Traffic) -> Iterator[Doubt]:
    if traffic.homography is None:
        text = "Speeds and metres are unknown, since the site has no ground points."
        yield Doubt(is_warning=False, title="Ground", text=text)
        return
    residuals_m = traffic.homography.residuals_m
    worst = float(residuals_m.max())
    if len(residuals_m) == LEAST_OF_GROUND:
        text = "Four ground points always fit: add others to learn how good speeds and metres are."
        yield Doubt(is_warning=False, title="Ground", text=text)
        return
    text = f"Ground points lie up to {worst:.2f} m from where the camera sees them."
    if worst > LARGE_RESIDUAL_M:
        text += " Correct the points, or distrust speeds and metres."
    yield Doubt(is_warning=worst > LARGE_RESIDUAL_M, title="Ground", text=text)


def _is_inside(rows: TrackTable, traffic: Traffic) -> np.ndarray:
    """Whether boxes keep away from the border of the picture."""
    observed = traffic.observed
    margin = _BORDER * observed.width
    return np.asarray(
        (rows["x"] > margin)
        & (rows["y"] > margin)
        & (rows["x"] + rows["w"] < observed.width - margin)
        & (rows["y"] + rows["h"] < observed.height - margin)
    )


def _stood(
    tracks: TrackTable, order: Int64[np.ndarray, " N"], lost: Int64[np.ndarray, " M"]
) -> Bool[np.ndarray, " M"]:
    """Whether tracks hardly moved at the end.

    Args:
        tracks: All tracks.
        order: Their rows in order of track, then time.
        lost: Where in this order the tracks in question end.
    """
    times_us, ids = tracks["t"][order], tracks["track_id"][order].astype(np.int64)
    # Times of one track after those of the one before, so that one search serves all.
    span = np.ptp(times_us) + _STANDS_OVER_US + 1
    keys = ids * span + times_us
    before = np.searchsorted(keys, keys[lost] - _STANDS_OVER_US, side="right") - 1
    lived = (before >= 0) & (ids[before] == ids[lost])
    end, earlier = tracks[order[lost]], tracks[order[before]]
    way_px = np.hypot(*(end[axis] - earlier[axis] for axis in ("x", "y")))
    return np.asarray(lived & (way_px < _STANDS * np.sqrt(end["w"] * end["h"])))
