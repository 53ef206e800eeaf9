"""Node of the track pipeline."""

from collections.abc import Collection, Iterator

import numpy as np
from jaxtyping import Int64

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore
from etram_pipeline.datasets.track_store import TrackedTable
from etram_pipeline.datasets.tracks import Tracking
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore, StoredRepresentations
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.settings import TrackSettings


def track_detections(
    detections: DetectionSource,
    histograms: RepresentationStore,
    labelled_frames: LabelStore,
    dataset: DatasetSettings,
    track: TrackSettings,
) -> Tracking:
    """Tracks of each recording with detections, computed while they are saved."""
    found = detections.of(labelled_frames, dataset)
    if fault := find_unencoded(found, histograms):
        raise StoreError(fault)
    return Tracking(
        _follow(found, histograms, for_scores_of(found, track)),
        found.class_names,
        fingerprint(found),
        fingerprint(track),
        found.training_run_id,
    )


def for_scores_of(found: DetectionStore, track: TrackSettings) -> TrackSettings:
    """Settings that use the same detections, whether scores were scaled to probabilities or not."""
    if not found.are_calibrated or found.calibration is None:
        return track
    return track.model_copy(
        update={"tracker": track.tracker.with_scaled_scores(found.calibration.of)}
    )


def find_unencoded(detected: Collection[str], encoded: Collection[str]) -> str:
    """What to say of detections in recordings without histograms; empty if all have some."""
    missing = sorted(key for key in detected if key not in encoded)
    if not missing:
        return ""
    return (
        f"{len(missing)} of {len(detected)} recordings with detections have no histograms "
        f"({', '.join(missing[:5])}), whose windows tell when road users were looked for: add "
        "`preprocess` to --pipelines"
    )


def _follow(
    detections: DetectionStore, histograms: RepresentationStore, settings: TrackSettings
) -> Iterator[tuple[str, TrackedTable]]:
    from etram_pipeline.tracks.following import track_recording

    for key in detections:
        stored, table = histograms[key], detections[key]
        observed = observe(stored)
        times_us = searched_us(stored, table)
        names = detections.class_names
        yield (
            key,
            TrackedTable(track_recording(table, times_us, observed, names, settings), observed),
        )


def observe(stored: StoredRepresentations) -> Observed:
    """Sensor and time of a recording, as its windows tell."""
    scale, stop_us = stored.downsampled_by, stored.stop_us
    start_us, end_us = 0, 0
    if len(stop_us):
        step_us = int(np.median(np.diff(stop_us))) if len(stop_us) > 1 else int(stop_us[0])
        start_us, end_us = max(0, int(stop_us[0]) - step_us), int(stop_us[-1])
    started_at = None if stored.summary is None else stored.summary.started_at
    return Observed(stored.width * scale, stored.height * scale, start_us, end_us, started_at)


def searched_us(
    stored: StoredRepresentations, detections: DetectionTable
) -> Int64[np.ndarray, " W"]:
    """Ends of the windows in which a detector looked for road users.

    A detector that ran at labelled frames only detects nothing elsewhere; other programs may have
    detected at times of their own.
    """
    detected_us = np.unique(detections["t"].astype(np.int64))
    framed_us = stored.stop_us[stored.frame_windows]
    if len(detected_us) and np.isin(detected_us, framed_us).all():
        return np.unique(framed_us)
    if np.isin(detected_us, stored.stop_us).all():
        return stored.stop_us
    return detected_us
