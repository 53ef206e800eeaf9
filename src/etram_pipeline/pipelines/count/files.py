"""What the count pipeline writes for other programs."""

from dataclasses import replace
from pathlib import Path

from etram_pipeline.datasets.tracks import write_tracks
from etram_pipeline.drawing.render import RgbImage
from etram_pipeline.reports.traffic.still import write_still
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.traffic import tables
from etram_pipeline.traffic.counting import Traffic
from etram_pipeline.traffic.export import flow_counts
from etram_pipeline.traffic.export.recording import ExportedRecording
from etram_pipeline.traffic.export.writing import export_site, export_tracks
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Site


def write_recording(  # where, which recording, and how
    folder: Path,
    key: str,
    traffic: Traffic,
    class_names: tuple[str, ...],
    histograms: RepresentationStore,
    settings: CountSettings,
) -> None:
    """Write counts of a recording in the layout of OTAnalytics, and its tracks if they are kept."""
    (folder / key).parent.mkdir(parents=True, exist_ok=True)
    movements = tables.turning_movement_rows({key: traffic})
    for minutes in settings.bins_min:
        flow_counts.write(folder / f"{key}.counts_{minutes}min.csv", movements, minutes)
    if not settings.keep_tracks:
        return
    times_us = histograms[key].stop_us if key in histograms else None
    observed = replace(traffic.observed, started_at=traffic.clock)
    export_tracks(folder, ExportedRecording(key, traffic.tracks, class_names, observed, times_us))
    write_tracks(folder / f"{key}.parquet", traffic.tracks)


def write_site(folder: Path, site: Site, still: RgbImage) -> None:
    """Write lines and zones, and the picture that they are drawn on."""
    export_site(folder, site)
    write_still(folder / "site.png", still)
