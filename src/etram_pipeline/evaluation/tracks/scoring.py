"""The one entry: tables of labels and tracks to scores."""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Literal

import numpy as np

from etram_pipeline.evaluation.breakdown import recordings_by_lighting
from etram_pipeline.evaluation.classes import scored_classes
from etram_pipeline.evaluation.recordings import check_recordings
from etram_pipeline.evaluation.resampling import Weights
from etram_pipeline.evaluation.tracks.combining import Combined, combine_all
from etram_pipeline.evaluation.tracks.comparing import (
    Tables,
    compared_boxes,
    fingerprint_compared,
    num_class_ids,
    of_classes,
)
from etram_pipeline.evaluation.tracks.matching import Compared
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol
from etram_pipeline.evaluation.tracks.protocols import resolve_track_protocol
from etram_pipeline.evaluation.tracks.result import (
    RecordingSums,
    TrackClassMetrics,
    TrackMetrics,
)
from etram_pipeline.evaluation.tracks.sums import TrackSums, no_sums, total_counts
from etram_pipeline.evaluation.tracks.totals import Totals
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.tracks.table import TrackTable
from etram_pipeline.traffic.site import Site

TrackEngine = Literal["own", "trackeval"]
"""What computes the sums of a recording; both give the same numbers."""

_Measure = Callable[[Compared, TrackProtocol], TrackSums]


def evaluate_tracks(
    labels: Mapping[str, LabelTable],
    tracks: Mapping[str, TrackTable],
    protocol: TrackProtocol | str,
    class_names: tuple[str, ...] | None = None,
    *,
    site: Site | None = None,
    engine: TrackEngine = "own",
) -> TrackMetrics:
    """Scores of tracks by a protocol; the same tables give the same numbers.

    Recordings are combined as in TrackEval: their sums are added up. Recordings without labels
    are not scored.

    Args:
        labels: Ground truth by recording, with track ids, in px of the sensor, in any order.
        tracks: Tracks of the same recordings, likewise; an empty table where nothing was tracked.
            Both are read one recording at a time.
        protocol: How to compare, or the name of a known way.
        class_names: Name of each class id of the tables; None: the protocol's classes.
        site: Zones to ignore; None: there are none.
        engine: What computes the sums. `trackeval` is many times slower and has to be installed.

    Raises:
        ProtocolError: If the protocol is not known or does not fit the tables' classes.
        LabelError: If a table is not one of tracks, or has two boxes of a track at one time; names
            the recording.
        ValueError: If labels and tracks are not of the same recordings.
        SettingsError: If the engine is not installed.
    """
    protocol = resolve_track_protocol(protocol)
    check_recordings(labels, tracks, "tracks")
    measure: _Measure = import_module(f"etram_pipeline.evaluation.tracks.{engine}_engine").measure
    compared = {
        recording: compared_boxes(
            Tables(recording, labels[recording], tracks[recording]), protocol, site
        )
        for recording in labels
    }
    classes = scored_classes(protocol, class_names, num_class_ids(compared.values()))
    compared = {
        recording: of_classes(each, classes)
        for recording, each in compared.items()
        if len(each.moments_us)
    }
    sums = {
        recording: _sums(each, classes.names, protocol, measure)
        for recording, each in compared.items()
    }
    return _metrics(
        protocol,
        classes.names,
        sums,
        num_moments=sum(len(each.moments_us) for each in compared.values()),
        ground_truth=fingerprint_compared(compared, classes.names),
    )


def _sums(
    compared: Compared, class_names: Sequence[str], protocol: TrackProtocol, measure: _Measure
) -> RecordingSums:
    per_class = {}
    for class_id, name in enumerate(class_names):
        of_class = compared.of_class(class_id)
        if len(of_class.labels) or len(of_class.tracks):
            per_class[name] = measure(of_class.without_ignored(protocol.match_iou), protocol)
    together = None
    if not protocol.class_aware:
        together = measure(compared.without_ignored(protocol.match_iou), protocol)
    return RecordingSums(together=together, per_class=per_class)


def _metrics(
    protocol: TrackProtocol,
    class_names: Sequence[str],
    sums: Mapping[str, RecordingSums],
    *,
    num_moments: int,
    ground_truth: str,
) -> TrackMetrics:
    compared = [part for each in sums.values() for part in each.compared]
    num_labels = sum(part.num_labels for part in compared)
    overall: Combined | Totals = Totals.of([no_sums(len(protocol.iou_thresholds))], _once(1))
    if num_labels:
        overall = _combined(list(sums.values()), protocol)
    return TrackMetrics(
        protocol=protocol,
        overall=_plain(overall),
        counts=total_counts(compared),
        per_class={
            name: _of_class([each.per_class.get(name) for each in sums.values()], protocol)
            for name in class_names
        },
        groups=_by_lighting(sums, protocol),
        by_threshold={name: curve[:, 0].tolist() for name, curve in overall.curves.items()},
        num_recordings=len(sums),
        num_moments=num_moments,
        num_labels=num_labels,
        num_tracked=sum(part.num_tracked for part in compared),
        ground_truth=ground_truth,
        recordings=dict(sums),
    )


def _of_class(sums: Sequence[TrackSums | None], protocol: TrackProtocol) -> TrackClassMetrics:
    found = [each for each in sums if each is not None] or [no_sums(len(protocol.iou_thresholds))]
    return TrackClassMetrics(
        metrics=_plain(Totals.of(found, _once(len(found)))),
        counts=total_counts(found),
        num_labels=sum(each.num_labels for each in found),
        num_tracked=sum(each.num_tracked for each in found),
    )


def _by_lighting(
    sums: Mapping[str, RecordingSums], protocol: TrackProtocol
) -> dict[str, dict[str, float]]:
    recordings = list(sums.values())
    members = {
        group: [recordings[row] for row in np.flatnonzero(wanted)]
        for group, wanted in recordings_by_lighting(sums).items()
    }
    return {
        group: _plain(_combined(wanted, protocol))
        for group, wanted in members.items()
        if any(part.num_labels for each in wanted for part in each.compared)
    }


def _combined(recordings: Sequence[RecordingSums], protocol: TrackProtocol) -> Combined:
    return combine_all(recordings, _once(len(recordings)), class_aware=protocol.class_aware)


def _plain(found: Combined | Totals) -> dict[str, float]:
    return {name: float(values[0]) for name, values in found.values.items()}


def _once(number: int) -> Weights:
    """Every recording as it is, instead of draws of them."""
    return np.ones((number, 1), np.int32)
