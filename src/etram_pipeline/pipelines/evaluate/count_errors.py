"""Counts on the lines of a site, compared with those of the labels by the same rules."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from etram_pipeline.datasets.track_store import TrackStore
from etram_pipeline.evaluation.counts.protocol import CountProtocol
from etram_pipeline.evaluation.counts.result import CountMetrics
from etram_pipeline.evaluation.counts.scoring import compare_counts
from etram_pipeline.evaluation.settings import EvaluateSettings
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import labelled_tracks
from etram_pipeline.traffic.bins import clock_zero
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Site


def compare_with_labels(  # what is compared, where and how
    name: str,
    site_of: Callable[[int, int], Site],
    labels: Mapping[str, LabelTable],
    tracks: TrackStore,
    settings: CountSettings,
    evaluate: EvaluateSettings,
) -> CountMetrics:
    """Error of the counts of some recordings, from their first label to their last.

    Truth is what the same rules count on the labels.

    Args:
        name: Name of the site in the names of metrics.
        site_of: Its lines, for width and height of a sensor.
        labels: Labels by recording, each with at least one box.
        tracks: Tracks of the same recordings.
        settings: How crossings are counted.
        evaluate: Split of the recordings, and level of the intervals.
    """
    true, counted, observed = {}, {}, {}
    for key, table in labels.items():
        observed[key] = _labelled(tracks.observed(key), table, settings)
        site = site_of(observed[key].width, observed[key].height)

        true[key], counted[key] = (
            count_recording(found, site, observed[key], settings, tracks.class_names).crossings
            for found in (labelled_tracks(table), tracks[key])
        )
    level = evaluate.intervals.level
    protocol = CountProtocol(name=name, bins_min=settings.bins_min, level=level)
    return compare_counts(true, counted, observed, tracks.class_names, protocol, evaluate.split)


def _labelled(observed: Observed, labels: LabelTable, settings: CountSettings) -> Observed:
    """The part of a recording of which labels tell who crossed lines."""
    times_us = labels["t"]
    return replace(
        observed,
        start_us=int(times_us.min()),
        stop_us=int(times_us.max()),
        started_at=clock_zero(settings.start_time, observed),
    )
