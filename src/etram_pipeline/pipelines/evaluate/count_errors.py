"""Counts on the lines of a site, compared with those of the labels by the same rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.track_store import TrackStore
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, labelled_tracks
from etram_pipeline.traffic.crossings import CrossingTable
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Site


def compare_with_labels(
    name: str,
    site_of: Callable[[int, int], Site],
    labels: Mapping[str, LabelTable],
    tracks: TrackStore,
    settings: CountSettings,
) -> CountMetrics:
    """Error of the counts of some recordings, while they are labelled.

    Args:
        name: Name of the site in the names of metrics.
        site_of: Its lines, for width and height of a sensor.
        labels: Labels by recording, each with at least one box.
        tracks: Tracks of the same recordings.
        settings: How crossings are counted.
    """
