"""The tracks of a whole recording."""

import logging
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.counts import counted_of
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.tracks.checks import is_usable
from etram_pipeline.tracks.companions import companions
from etram_pipeline.tracks.filling import filled
from etram_pipeline.tracks.finishing import cut_at_border, kept, numbered
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings
from etram_pipeline.tracks.table import TRACK_DTYPE, TrackTable
from etram_pipeline.tracks.trackers import Tracker

logger = logging.getLogger(__name__)

_LATEST = np.iinfo(np.int64).max


def track_recording(
    detections: DetectionTable,
    times_us: Int64[np.ndarray, " W"],
    sensor: Observed,
    class_names: Sequence[str],
    settings: TrackSettings,
) -> TrackTable:
    """Tracks of the road users in a recording.

    Args:
        detections: Detections of the recording, in any order. Those without a score or an area
            are ignored, with a log message.
        times_us: Ends of all windows that were searched, those without detections included. Other
            times of detections are ends of further windows.
        sensor: Size of the sensor.
        class_names: Names of the classes, in the order of their ids.
        settings: The tracker, and what is done to whole tracks.

    Returns:
        Rows in order of time, then track. Ids count from 1 in order of appearance.

    Raises:
        TrackingError: If a detection has a class without a name.
    """
    detections = _in_order(_usable(detections))
    times = np.union1d(times_us, detections["t"]).astype(np.int64)
    tracker = settings.tracker.build(sensor.width, sensor.height, class_names)
    if settings.online:
        table = _followed(tracker, detections, times, online=True)
    else:
        # The rows of the tracker are not kept: they take as much memory as the table.
        table = filled(_followed(tracker, detections, times, online=False), times, settings)
        if settings.companions is not None:
            parts = companions(table, settings.companions)
            table = kept(table, ~np.isin(table["track_id"], parts))
    return numbered(cut_at_border(table, sensor.width, sensor.height))


def _followed(
    tracker: Tracker,
    detections: DetectionTable,
    times_us: Int64[np.ndarray, " W"],
    *,
    online: bool,
) -> TrackTable:
    """Rows of all windows; offline also those from before a track was confirmed."""
    rows, number = np.empty(len(detections), TRACK_DTYPE), 0  # of each detection one at most
    bounds = np.searchsorted(detections["t"], np.append(times_us, _LATEST)).tolist()
    for window, time_us in enumerate(times_us.tolist()):
        found = detections[bounds[window] : bounds[window + 1]]
        seen = tracker.update(time_us, found)
        for each in (seen,) if online else (seen, tracker.earlier_rows()):
            rows[number : number + len(each)] = each
            number += len(each)
    return rows[:number]


def _usable(detections: DetectionTable) -> DetectionTable:
    usable = is_usable(detections)
    unusable = len(detections) - int(usable.sum())
    if unusable:
        logger.warning(
            "%s have no score, or no box with finite numbers and an area; they are ignored",
            counted_of(unusable, len(detections), "detection"),
        )
        detections = detections[usable]
    return detections


def _in_order(detections: DetectionTable) -> DetectionTable:
    if np.any(np.diff(detections["t"].astype(np.int64)) < 0):
        detections = detections[np.argsort(detections["t"], kind="stable")]
    return detections
