"""Labelled frames for the export: the name and the boxes of each picture."""

from pathlib import Path

import numpy as np
from jaxtyping import Float64, Int64

from etram_pipeline.core.boxes import xywh_to_xyxy, xyxy_to_xywh
from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.export.layout import Box, ExportedFrame
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.stores.reader import read_labelled_frames
from etram_pipeline.stores.representation_store import StoredRepresentations

_LEAST_SIDE_PX = 0.01
"""Smallest side of a box; the six decimals of YOLO's files cannot represent thinner boxes."""


def frame_names(key: str, times_us: Int64[np.ndarray, " F"]) -> list[str]:
    """Names of pictures: recording and time in microseconds, so that they sort by time."""
    recording = RecordingKey.parse(key).name
    return [f"{recording}_{time_us:010}" for time_us in times_us.tolist()]


def read_frames(
    stored: StoredRepresentations,
    windows: Int64[np.ndarray, " F"],
    label_folder: Path,
    num_classes: int,
) -> tuple[ExportedFrame, ...]:
    """Names, times and boxes of the pictures of some windows.

    Args:
        stored: Representations of the recording.
        windows: Windows that end at labelled frames.
        label_folder: Folder of the labelled frames.
        num_classes: Number of classes of the dataset.

    Raises:
        LabelError: If a box has a class that the dataset lacks, or is invalid.
        StoreError: If windows and labels do not match.
    """
    labels = read_labelled_frames(label_folder)
    found = np.unique(labels.labels["class_id"]).tolist()
    foreign = set(found).difference(range(num_classes))
    if foreign:
        raise LabelError(
            f"{label_folder} has boxes of class {max(foreign)}, but the dataset has only "
            f"{num_classes} classes: run `preprocess` again, with the same preset as now"
        )
    times_us = stored.stop_us[windows]
    if not np.isin(times_us, labels.times_us).all():
        raise StoreError(
            f"{stored.path} has windows for frames that are missing in {label_folder}: run "
            "`preprocess` again"
        )
    places = np.searchsorted(labels.times_us, times_us)
    rows = zip(frame_names(stored.key, times_us), times_us.tolist(), places.tolist(), strict=True)
    return tuple(
        ExportedFrame(name=name, time_us=time_us, boxes=boxes_on_picture(labels[place], stored))
        for name, time_us, place in rows
    )


def boxes_on_picture(labels: LabelTable, stored: StoredRepresentations) -> tuple[Box, ...]:
    """Boxes in px of the picture, clipped to its border; boxes outside it are left out.

    Raises:
        LabelError: If a box is not finite, or has a negative size.
    """
    boxes_xywh = np.stack([labels[name].astype(np.float64) for name in "xywh"], axis=1)
    if not np.isfinite(boxes_xywh).all() or (boxes_xywh[:, 2:] < 0).any():
        raise LabelError(
            f"{stored.key} has boxes that are not finite or have a negative size: run "
            "`preprocess` again, with the filter crop_to_sensor"
        )
    boxes_xywh = _cut(boxes_xywh / stored.downsampled_by, stored.height, stored.width)
    kept = np.all(boxes_xywh[:, 2:] >= _LEAST_SIDE_PX, axis=1)
    rows = zip(labels["class_id"][kept].tolist(), boxes_xywh[kept].tolist(), strict=True)
    return tuple((class_id, *box) for class_id, box in rows)


def _cut(
    boxes_xywh: Float64[np.ndarray, "N 4"], height: int, width: int
) -> Float64[np.ndarray, "N 4"]:
    return xyxy_to_xywh(xywh_to_xyxy(boxes_xywh).clip(0, [width, height, width, height]))
