"""Nodes of the count pipeline: tables, files and pages of traffic."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.lazy_mapping import LazyMapping
from etram_pipeline.datasets.site import SiteFile
from etram_pipeline.datasets.track_files import Write
from etram_pipeline.datasets.track_store import REMEDY, TrackStore
from etram_pipeline.pipelines.count.next_command import counting_command
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.traffic.settings import CountSettings

if TYPE_CHECKING:
    from pandas import DataFrame

    from etram_pipeline.drawing.render import RgbImage
    from etram_pipeline.traffic.counting import Traffic
else:  # importing them takes long, and Kedro reads this module for every command
    DataFrame = RgbImage = Traffic = object

TABLES = (
    *("crossings", "counts", "speeds", "turning_movements"),
    *("stays", "zone_statistics", "zone_movements"),
)
"""Datasets of tables."""

_OF_SINGLE_USERS = ("crossings", "stays")
"""Tables with rows of single road users."""


def tabulate_traffic(
    tracks: TrackStore, site: SiteFile, count: CountSettings
) -> dict[str, DataFrame]:
    """Tables by dataset; those of single road users are empty unless tracks are kept."""
    import pandas as pd

    from etram_pipeline.traffic import tables

    if not tracks:
        raise StoreError(f"there are no tracks to count: {REMEDY} on some recordings")
    rows = {
        "crossings": tables.crossings_rows,
        "counts": tables.counts_rows,
        "speeds": tables.speed_rows,
        "turning_movements": tables.turning_movement_rows,
        "stays": tables.stay_rows,
        "zone_statistics": tables.zone_rows,
        "zone_movements": tables.zone_movement_rows,
    }
    left_out = () if count.keep_tracks else _OF_SINGLE_USERS

    def frames(key: str, traffic: Traffic) -> dict[str, DataFrame]:
        shown = {key: traffic}
        return {
            name: pd.DataFrame(make({} if name in left_out else shown))
            for name, make in rows.items()
        }

    traffic = counted_traffic(tracks, site, count)
    parts = [frames(key, traffic[key]) for key in traffic]
    return {name: pd.concat([each[name] for each in parts], ignore_index=True) for name in TABLES}


def write_traffic_page(
    tracks: TrackStore,
    histograms: RepresentationStore,
    site: SiteFile,
    run_facts: Mapping[str, str],
    count: CountSettings,
) -> str:
    """The page about what passed where, as HTML."""
    from etram_pipeline.reports.traffic import traffic_page

    pictured = [key for key in tracks if key in histograms]
    content = traffic_page.TrafficContent(
        counted_traffic(tracks, site, count),
        LazyMapping(pictured, lambda key: draw(key, tracks, histograms)),
        facts=run_facts,
    )
    return traffic_page.write_traffic_page(content)


def export_tracks(
    tracks: TrackStore, histograms: RepresentationStore, site: SiteFile, count: CountSettings
) -> Write:
    """Tracks, counts and lines in the files of other programs, written when they are saved."""

    def write(folder: Path) -> None:
        from etram_pipeline.pipelines.count.files import write_recording, write_site

        traffic = counted_traffic(tracks, site, count)
        for key in traffic:
            write_recording(folder, key, traffic[key], tracks.class_names, histograms, count)
        key = _shown(tracks, histograms)
        observed = tracks.observed(key)
        write_site(folder, site.of(observed.width, observed.height), draw(key, tracks, histograms))

    return write


def draw_site_page(
    tracks: TrackStore,
    histograms: RepresentationStore,
    site: SiteFile,
    run_facts: Mapping[str, str],
) -> str:
    """The page on which lines and zones are drawn, over the recording with most road users."""
    from etram_pipeline.reports.traffic.site_page import write_site_page

    key = _shown(tracks, histograms)
    observed = tracks.observed(key)
    return write_site_page(
        draw(key, tracks, histograms),
        None if site.path is None else site.of(observed.width, observed.height),
        key,
        counting_command(run_facts["command"]),
    )


def draw(key: str, tracks: TrackStore, histograms: RepresentationStore) -> RgbImage:
    """Picture of what moved in a recording."""
    from etram_pipeline.reports.traffic.still import draw_still

    return draw_still(histograms[key], tracks[key], tracks.observed(key))


def _shown(tracks: TrackStore, histograms: RepresentationStore) -> str:
    """The recording with the most tracks, of those whose events are still there."""
    found = [key for key in tracks if key in histograms]
    if not found:
        raise StoreError(
            f"none of the recordings with tracks has histograms ({', '.join(list(tracks)[:5])}): "
            "add `preprocess` to --pipelines"
        )
    return max(found, key=lambda key: tracks.index.recordings[key].tracks)


def counted_traffic(
    tracks: TrackStore, site: SiteFile, count: CountSettings
) -> Mapping[str, Traffic]:
    """What passed in each recording, counted when it is asked for."""

    def count_one(key: str) -> Traffic:
        from etram_pipeline.traffic.counting import count_recording

        observed = tracks.observed(key)
        lines = site.of(observed.width, observed.height)
        return count_recording(tracks[key], lines, observed, count, tracks.class_names)

    return LazyMapping(list(tracks), count_one)
