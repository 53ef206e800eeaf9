"""Windows in which a detector looked for road users, as far as stored data tell."""

from collections.abc import Mapping

import numpy as np

from etram_pipeline.core.errors import StoreError
from etram_pipeline.evaluation.latency import SearchedTimes
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.stores.representation_store import RepresentationStore


def searched_windows(
    representations: RepresentationStore, detections: Mapping[str, DetectionTable], protocol: str
) -> SearchedTimes:
    """Ends of all windows in which a detector ran, also of those in which it found nothing.

    These are all stored windows; or, if another program detected at other times, these times.

    Args:
        representations: Of the same and maybe other recordings.
        detections: By recording.
        protocol: Name of the protocol that needs them, for errors.

    Raises:
        StoreError: If a recording has no representations, or if all detections are at labelled
            frames although there are windows between these.
    """
    missing = sorted(set(detections) - set(representations))
    if missing:
        raise StoreError(
            f"protocol {protocol!r} needs the windows of {', '.join(missing[:5])}, which have no "
            "histograms: run `kedro run --pipelines preprocess`, or leave latency_ms out"
        )
    searched, at_labels_only, gaps = {}, True, 0
    for key, table in detections.items():
        stored, detected_us = representations[key], np.unique(table["t"].astype(np.int64))
        framed = stored.frame_windows
        of_program = not np.isin(detected_us, stored.stop_us).all()
        searched[key] = detected_us if of_program else stored.stop_us
        at_labels_only &= bool(np.isin(detected_us, stored.stop_us[framed]).all())
        if len(detected_us) and len(framed):
            gaps += int(framed[-1] - framed[0] + 1 - len(framed))
    if at_labels_only and gaps:
        raise StoreError(
            f"protocol {protocol!r} scores what a viewer had at each moment, but the detections "
            f"are at labelled frames only, and {gaps} windows lie between these: set "
            "`predict.windows: all` and run `kedro run --pipelines predict,evaluate`"
        )
    return searched
