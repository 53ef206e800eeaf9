"""Detections of batches as tables of recordings."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from jaxtyping import Bool

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.boxes import xyxy_to_xywh
from etram_pipeline.core.mask_column import with_masks
from etram_pipeline.core.run_lengths import RunLengths, encode_masks
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable

NO_DETECTIONS: DetectionTable = np.empty(0, DETECTION_DTYPE)
"""The table of a recording without detections."""


class DetectionCollector:
    """Gathers the detections of batches into one table per recording, in px of the sensor."""

    def __init__(self, downsampled_by: Mapping[str, int]) -> None:
        """Start without detections; `downsampled_by` has the factor of each recording."""
        self._downsampled_by = downsampled_by
        self._rows: dict[str, list[DetectionTable]] = {}

    def add(self, batch: SequenceBatch, detections: Sequence[Detections]) -> None:
        """Take the detections of every keyframe of a batch."""
        if batch.times_us is None:
            raise ValueError("the batch does not say when its windows end")
        for (t, lane), found in zip(batch.keyframes.tolist(), detections, strict=True):
            recording = batch.recordings[lane]
            rows = _rows(found, int(batch.times_us[t, lane]), self._downsampled_by[recording])
            self._rows.setdefault(recording, []).append(rows)

    def take(self, recording: str) -> DetectionTable:
        """Hand over all rows of one recording, in order of time.

        Rows have masks if the detector has.
        """
        rows = [table for table in self._rows.pop(recording, []) if len(table)]
        return np.concatenate(rows or [NO_DETECTIONS])

    def take_all(self) -> dict[str, DetectionTable]:
        """Hand over everything."""
        return {recording: self.take(recording) for recording in list(self._rows)}


def _rows(found: Detections, time_us: int, downsampled_by: int) -> DetectionTable:
    table = np.zeros(len(found.class_ids), DETECTION_DTYPE)
    # One tensor, because every transfer from a GPU is waited for.
    objectness = torch.ones_like(found.scores) if found.objectness is None else found.objectness
    class_scores = found.scores if found.class_scores is None else found.class_scores
    others = (found.class_ids, found.scores, objectness, class_scores)
    columns = [values.float()[:, None] for values in others]
    packed = torch.cat([found.boxes_xyxy.float(), *columns], dim=1).cpu().numpy()
    boxes_xywh = xyxy_to_xywh(packed[:, :4] * downsampled_by)
    for column, values in zip("xywh", boxes_xywh.T, strict=True):
        table[column] = values
    table["t"] = time_us
    for column, values in zip(
        ("class_id", "score", "objectness", "class_score"), packed[:, 4:].T, strict=True
    ):
        table[column] = values
    table["class_confidence"] = table["class_score"]
    if found.masks is None:
        return table
    return with_masks(table, _encoded(found.masks.cpu().numpy(), downsampled_by))


def _encoded(masks: Bool[np.ndarray, "N H W"], downsampled_by: int) -> list[RunLengths]:
    """Masks in px of the sensor."""
    return [
        encoded
        for mask in masks
        for encoded in encode_masks(
            mask[None].repeat(downsampled_by, axis=1).repeat(downsampled_by, axis=2)
        )
    ]
