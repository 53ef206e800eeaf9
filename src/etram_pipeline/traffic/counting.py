"""What passes where, and when, in one recording."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic import crossings, queues, stays
from etram_pipeline.traffic.bins import Bins, clock_bins, clock_zero
from etram_pipeline.traffic.classes import CountedClasses, counted_classes
from etram_pipeline.traffic.ground_points import Paths, paths
from etram_pipeline.traffic.homography import Homography, fit_homography
from etram_pipeline.traffic.movements import Movements, line_movements, zone_movements
from etram_pipeline.traffic.polygon import inside
from etram_pipeline.traffic.polyline import beyond_border
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Line, Site, Zone, check_site
from etram_pipeline.traffic.speeds import speeds

MOST_IGNORED = 0.5
"""Tracks with a larger share of their rows in ignored zones do not count."""


@dataclass(frozen=True, eq=False)
class Traffic:
    """What passed in one recording.

    Class ids are those of the tracks; `classes` turns them into the classes of the tables.

    Attributes:
        site: Lines and zones.
        observed: Sensor and time of the recording.
        clock: Clock time at time zero, if known.
        classes: Classes of the tables.
        bins: Bins of time, one set for each length.
        homography: Map to the ground, if the site has known points.
        tracks: The tracks that count, with places and speeds on the ground where they are known.
        crossings: Crossings of lines.
        movements: Origins and destinations by lines.
        stays: Stays in zones.
        zone_movements: Origins and destinations by zones.
        queued: Slow road users in zones, once a second.
        seconds_us: The seconds.
    """

    site: Site
    observed: Observed
    clock: datetime | None
    classes: CountedClasses
    bins: tuple[Bins, ...]
    homography: Homography | None
    tracks: TrackTable
    crossings: crossings.Crossings
    movements: Movements
    stays: stays.Stays
    zone_movements: Movements
    queued: queues.Queued
    seconds_us: Int64[np.ndarray, " S"]


def count_recording(
    tracks: TrackTable,
    site: Site,
    observed: Observed,
    settings: CountSettings,
    class_names: tuple[str, ...],
) -> Traffic:
    """Crossings, movements, stays and queues of a recording.

    Works on some tracks at a time, so that memory grows by little more than the table of tracks.
    Rows outside the observed time do not count, and neither do tracks that spend more than half of
    their rows in ignored zones. Other tracks count as a whole, also where they pass such a zone.

    Args:
        tracks: Tracks of the recording, in order of time.
        site: Lines and zones.
        observed: Sensor and time of the recording.
        settings: What is counted how.
        class_names: Classes of the tracks, in order of their ids.

    Raises:
        SiteError: If the site was drawn for another sensor, or its ground points contradict each
            other.
        SettingsError: If `settings.classes` does not suit the classes of the tracks.
    """
    check_site(site, observed.width, observed.height)
    _check_class_ids(tracks, class_names)
    clock = clock_zero(settings.start_time, observed)
    bins = tuple(clock_bins(minutes, observed, clock) for minutes in settings.bins_min)
    seconds_us = queues.whole_seconds(
        observed.start_us, observed.stop_us, int(bins[0].starts_us[0])
    )
    begin, end = np.searchsorted(tracks["t"], [observed.start_us, observed.stop_us + 1])
    found = _count(tracks[begin:end], site, settings.margin, seconds_us)
    return Traffic(
        site=site,
        observed=observed,
        clock=clock,
        classes=counted_classes(settings.classes, class_names),
        bins=bins,
        movements=line_movements(found.crossings, site.lines),
        zone_movements=zone_movements(found.stays),
        seconds_us=seconds_us,
        **vars(found),
    )


@dataclass(frozen=True, eq=False)
class _Found:
    """The part of `Traffic` that is found in tracks."""

    homography: Homography | None
    tracks: TrackTable
    crossings: crossings.Crossings
    stays: stays.Stays
    queued: queues.Queued


def _count(
    tracks: TrackTable, site: Site, margin: float, seconds_us: Int64[np.ndarray, " S"]
) -> _Found:
    homography = None if site.ground is None else fit_homography(site.ground)
    table = tracks if homography is None else tracks.copy()
    does_count = np.zeros(len(table), bool)
    lines = _lines_beyond_border(site)
    crossed = [np.zeros(0, crossings.CROSSING_DTYPE)]
    stayed = [np.zeros(0, stays.STAY_DTYPE)]
    waiting = [np.zeros(0, queues.QUEUED_DTYPE)]
    for whole in paths(table):
        part = _without_ignored(whole, site.ignore)
        does_count[part.rows] = True
        speeds_m_s = np.full(len(part.rows), np.nan)
        if homography is not None:
            places = homography.to_ground(part.points)
            speeds_m_s = speeds(part.times_us, places, part.track_ids)
            table["x_m"][part.rows], table["y_m"][part.rows] = places.T
            table["speed_m_s"][part.rows] = speeds_m_s
        crossed.append(crossings.find_crossings(part, lines, margin, speeds_m_s))
        if site.zones:
            stayed.append(stays.find_stays(part, site.zones))
            slow = queues.find_slow(part, speeds_m_s)
            waiting.append(queues.find_queued(part, stayed[-1], site.zones, seconds_us, slow))
    return _Found(
        homography=homography,
        tracks=table if does_count.all() else table[does_count],
        crossings=crossings.in_order(np.concatenate(crossed)),
        stays=(all_stays := stays.in_order(np.concatenate(stayed))),
        queued=queues.measure_queues(np.concatenate(waiting), all_stays, site.zones, homography),
    )


def _lines_beyond_border(site: Site) -> dict[str, Line]:
    moved = {}
    for name, line in site.lines.items():
        corners = np.array(line.points, np.float64)
        points = beyond_border(corners, site.image.width, site.image.height)
        moved[name] = line.model_copy(update={"points": tuple(map(tuple, points.tolist()))})
    return moved


def _without_ignored(part: Paths, ignored: Mapping[str, Zone]) -> Paths:
    """The tracks that are outside all ignored zones for at least half of their rows."""
    if not ignored:
        return part
    is_ignored = np.any([inside(part.points, zone.polygon) for zone in ignored.values()], axis=0)
    number = np.cumsum(part.is_first) - 1
    share = np.bincount(number, weights=is_ignored) / np.bincount(number)
    return part.of((share <= MOST_IGNORED)[number])


def _check_class_ids(tracks: TrackTable, class_names: tuple[str, ...]) -> None:
    largest = int(tracks["class_id"].max(initial=0))
    if largest >= len(class_names) and len(tracks):
        raise SettingsError(
            f"tracks have class id {largest}, but the largest of the classes "
            f"{', '.join(class_names)} is {len(class_names) - 1}: count with the classes that the "
            "tracks were made with"
        )
