"""All files of a recording or a site."""

import logging
from pathlib import Path

from etram_pipeline.traffic.export import mot_challenge, otflow, ottrk, site_features, track_lines
from etram_pipeline.traffic.export.recording import ExportedRecording
from etram_pipeline.traffic.homography import fit_homography
from etram_pipeline.traffic.site import Site

logger = logging.getLogger(__name__)

TRACK_FORMATS = (mot_challenge, track_lines, ottrk)


def export_tracks(folder: Path, recording: ExportedRecording) -> list[Path]:
    """Write the tracks of a recording in every format.

    Args:
        folder: Folder of the files; the name of the recording may have folders of its own.
        recording: The recording.

    Returns:
        The files.
    """
    paths = [folder / f"{recording.name}{each.SUFFIX}" for each in TRACK_FORMATS]
    for path, each in zip(paths, TRACK_FORMATS, strict=True):
        each.write(path, recording)
    return paths


def export_site(folder: Path, site: Site) -> list[Path]:
    """Write lines and zones for OTAnalytics and geographic information systems.

    Args:
        folder: Folder of the files.
        site: The site.

    Returns:
        The files: `site.otflow`, `site.geojson` in px, and `site_m.geojson` in metres if the site
        has ground points.
    """
    paths = [folder / "site.otflow", folder / "site.geojson"]
    otflow.write(paths[0], site)
    site_features.write_px(paths[1], site)
    if site.ground is None:
        return paths
    metric = folder / "site_m.geojson"
    left_out = site_features.write_metres(metric, site, fit_homography(site.ground).to_ground)
    if left_out:
        logger.warning(
            "%s: %s lie beyond the ground points and are left out",
            metric.name,
            ", ".join(map(repr, left_out)),
        )
    return [*paths, metric]
