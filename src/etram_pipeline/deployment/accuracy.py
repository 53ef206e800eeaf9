"""Average precision of an engine in stored recordings, with its memory carried from window on."""

from collections.abc import Mapping

import numpy as np

from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.scoring import evaluate
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.suppression import HIGHEST_THRESHOLD_FOR_AP
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.streaming.selection import select
from etram_pipeline.streaming.stream import as_table
from etram_pipeline.streaming.window_model import WindowModel


def average_precision(
    model: WindowModel,
    recordings: Mapping[str, WindowRepresentations],
    labels: Mapping[str, LabelTable],
    protocol: Protocol,
) -> float:
    """Average precision, from 0 to 1, of all detections in the recordings.

    Args:
        model: The detector; its memory is emptied.
        recordings: Representations of each recording.
        labels: Labels of the same recordings.
        protocol: How to compare.
    """
    found = {name: detect_stored(model, stored) for name, stored in recordings.items()}
    names = model.description.class_names
    return float(evaluate(labels, found, protocol, names).overall["AP"])


def detect_stored(model: WindowModel, stored: WindowRepresentations) -> DetectionTable:
    """Detections in all windows of a recording, strong and weak ones, in px of the sensor."""
    description = model.description
    thresholds = description.suppression.model_copy(
        update={"score_threshold": HIGHEST_THRESHOLD_FOR_AP}
    )
    model.reset()
    tables = [np.empty(0, DETECTION_DTYPE)]
    for number, stop_us in enumerate(stored.stop_us.tolist()):
        raw = model.step(stored.read(number, number + 1))
        (found,) = select(raw, description, thresholds)
        tables.append(as_table(found, stop_us, description.downsampled_by))
    return np.concatenate(tables)
