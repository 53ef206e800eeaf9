"""Labelled frames of recordings: checks, filters and stores labels."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int64
from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, NoLabelsError, RecordingError
from etram_pipeline.core.recording import Clock, Recording
from etram_pipeline.core.recording_key import RecordingKey
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.annotated import find_moments, read_moments
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.frames import LabelledFrames, filter_labels, select_frames
from etram_pipeline.labels.masks import check_masks, find_masks, read_masked_labels
from etram_pipeline.labels.moments import LeftOut, fill_gaps
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LabelTable, read_labels
from etram_pipeline.labels.units import (
    is_rate_unusual,
    likely_clock,
    place_fault,
    size_doubt,
    time_fault,
)
from etram_pipeline.stores.layout import LABELS, LABELS_FILE, MASKS_FILE, RECORD_FILE, TIMES_FILE
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.writer import write_labelled_frames

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelJob(BuildJob):
    """Filters the labels of a recording and stores its labelled frames.

    Attributes:
        recording_path: The recording; it states the sensor size.
        label_path: Its label file.
        split: Split of the recording.
        dataset: Classes, and the sensor size for a recording that does not state it.
        settings: Filters, and the time between frames.
        masks_path: Its file of masks; None: the labels are boxes alone.
        moments_path: Its list of moments that were looked at; None if there is none.
    """

    recording_path: Path
    label_path: Path
    split: str
    dataset: DatasetSettings
    settings: LabelSettings
    masks_path: Path | None = None
    moments_path: Path | None = None

    recipe: ClassVar[str] = "LabelJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        masks = () if self.masks_path is None else (MASKS_FILE,)
        names = (LABELS_FILE, *masks, TIMES_FILE, RECORD_FILE)
        return tuple(f"{LABELS}/{name}" for name in names)

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        frames = self._labelled_frames()
        record = Record(
            fingerprint=fingerprint,
            settings=self._settings(),
            summary=Summary(
                num_frames=len(frames), num_boxes=len(frames.labels), left_out=frames.left_out
            ),
            interval_us=frames.interval_us,
        )
        write_labelled_frames(folder / LABELS, frames, record)
        return record

    def _labelled_frames(self) -> LabelledFrames:
        boxes = self._read()
        known_us = self._known_us(boxes)
        if not len(boxes) and not len(known_us):
            raise NoLabelsError(f"{self.label_path} holds no boxes")
        size, clock = (self.dataset.height, self.dataset.width), self.dataset.clock
        height, width = checked_size(boxes, self.label_path, self.recording_path, size, clock)
        if self.masks_path is not None:
            check_masks(boxes, height, width, str(self.masks_path))
        context = FilterContext(self.dataset, self.split, height, width)
        labels = filter_labels(boxes, self.settings, context, str(self.label_path))
        _check_classes(labels, self.dataset, self.label_path)
        try:
            frames = select_frames(
                labels, self.settings, str(self.label_path), self._span_us(), known_us
            )
        except NoLabelsError as error:
            doubt = size_doubt(boxes, height, width)
            raise NoLabelsError(f"{error}; {doubt}" if doubt else str(error)) from error
        num_before, num_after = (
            len(np.union1d(table["t"].astype(np.int64), known_us)) for table in (boxes, labels)
        )
        num_filtered = num_before - num_after
        return replace(frames, left_out=frames.left_out + LeftOut(filtered=num_filtered))

    def _known_us(self, boxes: LabelTable) -> Int64[np.ndarray, " K"]:
        """Moments that are labelled frames whether a box is left there or not."""
        times_us = np.unique(boxes["t"].astype(np.int64))
        if self.settings.empty_frames == "none":
            return times_us[:0]
        if self.settings.empty_frames == "grid":
            return fill_gaps(times_us)
        return (
            times_us
            if self.moments_path is None
            else np.union1d(times_us, read_moments(self.moments_path))
        )

    def _span_us(self) -> tuple[int, int] | None:
        """Times of the first and last event, where frames must lie within the recording."""
        if self.settings.frames == "grid":
            return None
        try:
            size = self.dataset.height, self.dataset.width
            recording = open_recording(self.recording_path, size=size, clock=self.dataset.clock)
            start_us, stop_us = recording.start_us, recording.stop_us
        except RecordingError as error:
            logger.debug("cannot compare labels with their recording: %s", error)
            return None
        return (start_us, stop_us - 1) if stop_us > start_us else None

    def _read(self) -> LabelTable:
        if self.masks_path is None:
            return read_labels(self.label_path)
        return read_masked_labels(self.label_path, self.masks_path)

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        beside = (self.masks_path, self.moments_path)
        return self.recording_path, self.label_path, *filter(None, beside)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"split": self.split, **self._settings()}

    def _settings(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset.model_dump(mode="json"),
            "labels": self.settings.model_dump(mode="json", serialize_as_any=True),
        }


def label_jobs(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    settings: LabelSettings,
) -> dict[str, LabelJob]:
    """One job for every recording that has a label file; it reads masks where there are any."""
    return {
        key: LabelJob(
            path,
            label_files[key],
            RecordingKey.parse(key).split,
            dataset,
            settings,
            find_masks(label_files[key]),
            find_moments(label_files[key]) if settings.empty_frames == "listed" else None,
        )
        for key, path in recordings.items()
        if key in label_files
    }


def checked_size(
    labels: LabelTable,
    label_path: Path,
    recording_path: Path,
    size: tuple[int, int],
    clock: Clock = "file",
) -> tuple[int, int]:
    """Height and width of the sensor; checks that labels are in its px and in microseconds.

    Args:
        labels: Boxes of a recording, before any filter.
        label_path: File of the labels, for error messages.
        recording_path: The recording; if it cannot be read, times are not checked.
        size: Height and width in px, for a recording that does not state them.
        clock: Clock of the recording.

    Raises:
        LabelError: If labels are clearly in another unit; the message names the likely unit.
    """
    fault = ""
    try:
        recording = open_recording(recording_path, size=size, clock=clock)
        size = recording.height, recording.width
        # Some formats must be read completely to find their end time.
        if is_rate_unusual(labels):
            fault = time_fault(labels, (recording.start_us, recording.stop_us))
        if clock == "file" and not fault:
            fault = _clock_fault(labels, recording, label_path)
    except RecordingError as error:
        logger.debug("cannot compare labels with their recording: %s", error)
    fault = fault or place_fault(labels, *size)
    if fault:
        raise LabelError(f"{label_path}: {fault}")
    doubt = size_doubt(labels, *size)
    if doubt:
        logger.warning("%s: %s", label_path, doubt)
    return size


def _clock_fault(labels: LabelTable, recording: Recording, path: Path) -> str:
    """Message about labels that mostly precede the recording; a doubt about fewer is logged."""
    clock = likely_clock(labels, recording)
    if clock is None:
        return ""
    start_us, first_us = recording.start_us, int(labels["t"][0])
    message = (
        f"labels begin at {first_us} us, but events at {start_us} us by the times in their file; "
        f"both fit if the recording's times are counted as by `dataset.clock: {clock}`: set it"
    )
    if 2 * np.count_nonzero(labels["t"] < start_us) > len(labels):
        return message
    logger.warning("%s: %s", path, message)
    return ""


def _check_classes(labels: LabelTable, dataset: DatasetSettings, path: Path) -> None:
    known = range(len(dataset.detected_classes))
    found = set(np.unique(labels["class_id"]).tolist())
    foreign = found.difference(known)
    if foreign:
        counted_from_one = ". If ids count from 1, subtract 1 from `class_id`"
        hint = counted_from_one if min(found) > 0 and foreign == {len(known)} else ""
        raise LabelError(
            f"{path} has boxes of class {max(foreign)}, but the dataset has only the classes "
            f"{dict(enumerate(dataset.detected_classes))}: complete `dataset.class_names`, or "
            f"remove other classes by the filter `select_classes` or `group_classes`{hint}"
        )
