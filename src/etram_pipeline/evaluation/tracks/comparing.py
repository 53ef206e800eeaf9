"""The labels and tracks of one recording that a protocol compares."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool

from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.evaluation.classes import ScoredClasses
from etram_pipeline.evaluation.ground_truth import hash_rows
from etram_pipeline.evaluation.tracks.boxes import TrackBoxes, labelled_boxes, tracked_boxes
from etram_pipeline.evaluation.tracks.matching import Compared
from etram_pipeline.evaluation.tracks.moments import (
    boxes_at,
    durations,
    recent_speeds,
    scored_moments,
)
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.polygon import inside
from etram_pipeline.traffic.site import Site


@dataclass(frozen=True)
class Tables:
    """The tables of one recording.

    Attributes:
        recording: Its name.
        labels: Ground truth.
        tracks: Tracks.
    """

    recording: str
    labels: LabelTable
    tracks: TrackTable


def compared_boxes(tables: Tables, protocol: TrackProtocol, site: Site | None) -> Compared:
    """Labels and tracks of all classes at the moments of a protocol, with those to ignore marked.

    Raises:
        LabelError: If a table is not one of tracks, or has two boxes of a track at one time; names
            the recording.
    """
    labels = labelled_boxes(tables.labels, tables.recording, protocol)
    tracks = tracked_boxes(tables.tracks, tables.recording, protocol)
    moments_us = scored_moments(labels.times_us, protocol)
    # How long a track lasts does not depend on the moments, but its place does.
    labels, tracks = (
        replace(boxes, is_ignored=durations(boxes) < protocol.min_track_us)
        for boxes in (labels, tracks)
    )
    tracks = boxes_at(tracks, moments_us, protocol.interpolate_us)
    is_out, is_track_out = (_are_out(boxes, protocol, site) for boxes in (labels, tracks))
    is_slow = recent_speeds(labels) < protocol.least_speed
    return Compared(
        moments_us,
        replace(labels, is_ignored=labels.is_ignored | is_out | is_slow),
        replace(tracks, is_ignored=tracks.is_ignored | is_track_out),
    )


def of_classes(compared: Compared, classes: ScoredClasses) -> Compared:
    """The boxes whose class counts, with its position for an id."""
    return Compared(
        compared.moments_us,
        compared.labels.mapped(classes.index_of_id),
        compared.tracks.mapped(classes.index_of_id),
    )


def num_class_ids(compared: Iterable[Compared]) -> int:
    """One more than the largest class id."""
    return 1 + max(
        (
            int(boxes.class_ids.max(initial=-1))
            for each in compared
            for boxes in (each.labels, each.tracks)
        ),
        default=-1,
    )


def fingerprint_compared(compared: Mapping[str, Compared], class_names: Sequence[str]) -> str:
    """A hash of the moments and of the labels that count, in any order.

    Args:
        compared: What is compared of each recording.
        class_names: Classes that count.
    """
    digests = []
    for recording in sorted(compared):
        labels = compared[recording].labels
        columns = (labels.times_us, labels.track_ids, labels.class_ids, labels.is_ignored)
        digests.append(
            [
                recording,
                hash_rows([compared[recording].moments_us]),
                hash_rows([*columns, *labels.boxes_xywh.T]),
            ]
        )
    return fingerprint([digests, list(class_names)])


def _are_out(
    boxes: TrackBoxes, protocol: TrackProtocol, site: Site | None
) -> Bool[np.ndarray, " N"]:
    """Whether boxes are too small or in an ignored zone."""
    sizes = boxes.boxes_xywh[:, 2:] * protocol.pixel_scale
    is_out: Bool[np.ndarray, " N"] = (sizes < protocol.min_side_px).any(axis=1) | (
        (sizes**2).sum(axis=1) < protocol.min_diagonal_px**2
    )
    if site is not None and protocol.ignore_zones:
        for zone in site.ignore.values():
            is_out |= inside(boxes.ground_points, zone.polygon)
    return is_out
