"""Checking labels against their recording, before they are used."""

import logging
from pathlib import Path

from etram_pipeline.core.errors import LabelError, RecordingError
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.labels.units import is_rate_unusual, place_fault, size_doubt, time_fault

logger = logging.getLogger(__name__)


def checked_size(
    labels: LabelTable, label_path: Path, recording_path: Path, size: tuple[int, int]
) -> tuple[int, int]:
    """Height and width of the sensor, after a check that labels are in its px and in microseconds.

    Args:
        labels: Boxes of a recording, before any filter.
        label_path: Where they are from.
        recording_path: The recording; if it cannot be read, times are not checked.
        size: Height and width in px, should the recording not say them.

    Raises:
        LabelError: If labels are evidently in another unit; names the likely one.
    """
    fault = ""
    try:
        recording = open_recording(recording_path, size=size)
        size = recording.height, recording.width
        # Some formats are read to their end to know when that is.
        if is_rate_unusual(labels):
            fault = time_fault(labels, (recording.start_us, recording.stop_us))
    except RecordingError as error:
        logger.debug("labels are not held against their recording: %s", error)
    fault = fault or place_fault(labels, *size)
    if fault:
        raise LabelError(f"{label_path}: {fault}")
    doubt = size_doubt(labels, *size)
    if doubt:
        logger.warning("%s: %s", label_path, doubt)
    return size
