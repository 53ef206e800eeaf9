"""What preprocessing does with one recording, and with all of them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, NoLabelsError, RecordingError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording import Recording
from etram_pipeline.events.encode import Tally, draw_windows
from etram_pipeline.events.image_buffer import ImageBuffers
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import Representation, RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.filters import FilterContext
from etram_pipeline.labels.frames import LabelledFrames, filter_labels, select_frames
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LabelTable, read_labels
from etram_pipeline.labels.units import size_doubt
from etram_pipeline.preprocessing.units import checked_size
from etram_pipeline.stores.compression import num_threads
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    LABELS,
    LABELS_FILE,
    RECORD_FILE,
    REPRESENTATIONS,
    TIMES_FILE,
    Record,
    Summary,
)
from etram_pipeline.stores.settings import StorageSettings
from etram_pipeline.stores.store import LabelStore
from etram_pipeline.stores.writer import write_labelled_frames, write_representations

_LARGEST_IMAGE_BYTES = 2**31 - 2**16
"""Blosc compresses no more at once."""


@dataclass(frozen=True)
class LabelJob(BuildJob):
    """Filters the labels of a recording and stores its labelled frames.

    Attributes:
        recording_path: The recording, which knows the size of the sensor.
        label_path: Its label file.
        split: Split it belongs to.
        dataset: Classes, and the size of the sensor should the recording not say it.
        settings: Filters and distance of frames.
    """

    recording_path: Path
    label_path: Path
    split: str
    dataset: DatasetSettings
    settings: LabelSettings

    recipe: ClassVar[str] = "LabelJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        return tuple(f"{LABELS}/{name}" for name in (LABELS_FILE, TIMES_FILE, RECORD_FILE))

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        frames = self._labelled_frames()
        record = Record(
            fingerprint=fingerprint,
            settings=self._settings(),
            summary=Summary(num_frames=len(frames), num_boxes=len(frames.labels)),
            interval_us=frames.interval_us,
        )
        write_labelled_frames(folder / LABELS, frames, record)
        return record

    def _labelled_frames(self) -> LabelledFrames:
        boxes = read_labels(self.label_path)
        if not len(boxes):
            raise NoLabelsError(f"{self.label_path} holds no boxes")
        size = self.dataset.height, self.dataset.width
        height, width = checked_size(boxes, self.label_path, self.recording_path, size)
        context = FilterContext(self.dataset, self.split, height, width)
        labels = filter_labels(boxes, self.settings, context, str(self.label_path))
        _check_classes(labels, self.dataset, self.label_path)
        try:
            return select_frames(labels, self.settings, str(self.label_path))
        except NoLabelsError as error:
            doubt = size_doubt(boxes, height, width)
            raise NoLabelsError(f"{error}; {doubt}" if doubt else str(error)) from error

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        return self.recording_path, self.label_path

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"split": self.split, **self._settings()}

    def _settings(self) -> dict[str, Any]:
        return {
            "dataset": self.dataset.model_dump(mode="json"),
            "labels": self.settings.model_dump(mode="json", serialize_as_any=True),
        }


@dataclass(frozen=True)
class EncodeJob(BuildJob):
    """Encodes a recording and stores its representations.

    Boxes are no inputs: filters that leave the times of labelled frames as they are do not make
    stored representations out of date.

    Attributes:
        recording_path: The recording.
        frame_times_us: Times of its labelled frames, in microseconds.
        frame_interval_us: Regular distance of these; 0 if not known.
        dataset: Size of the sensor, should the recording not say it.
        windows: When to cut.
        representation: What to make of a window.
        storage: How to compress images.
        label_failure: Why its labels could not be read; empty if they could.
    """

    recording_path: Path
    frame_times_us: tuple[int, ...]
    frame_interval_us: int
    dataset: DatasetSettings
    windows: WindowConfig
    representation: RepresentationConfig
    storage: StorageSettings
    label_failure: str = ""

    recipe: ClassVar[str] = "EncodeJob 1"
    reads_whole: ClassVar[bool] = True

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        names = (TIMES_FILE, FRAME_WINDOWS_FILE, IMAGES_FILES[self.representation.downsampled_by])
        return tuple(f"{self._folder}/{name}" for name in names)

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        if self.label_failure:
            raise LabelError(self.label_failure)
        recording = open_recording(
            self.recording_path, size=(self.dataset.height, self.dataset.width)
        )
        plan = self.windows.plan(
            np.array(self.frame_times_us, np.int64),
            self.frame_interval_us,
            recording,
        )
        if len(plan.stop_us) == 0:
            raise RecordingError(f"{self.recording_path} holds no events to cut into windows")
        tally = Tally()
        representation = self.representation.build(recording.height, recording.width)
        _check_image(representation, recording)
        # Enough for the threads to have one each, one to draw on, and one to wait its turn.
        buffers = ImageBuffers(representation.buffer() for _ in range(num_threads() + 2))
        drawn = draw_windows(recording, plan, representation, buffers.take, tally)

        def describe(num_bytes: int) -> Record:
            summary = Summary(
                num_windows=len(plan.stop_us),
                num_frames=len(plan.frame_windows),
                num_bytes=num_bytes,
                **asdict(tally),
            )
            return Record(fingerprint=fingerprint, settings=self._settings(), summary=summary)

        return write_representations(
            folder / self._folder,
            drawn,
            plan,
            self.representation.downsampled_by,
            describe,
            self.storage.profile,
        )

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        return (self.recording_path,)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {
            "sensor": [self.dataset.height, self.dataset.width],
            "labelled frames": fingerprint([list(self.frame_times_us), self.frame_interval_us]),
            "storage": {"profile": self.storage.profile},
            **self._settings(),
        }

    @property
    def _folder(self) -> str:
        return f"{REPRESENTATIONS}/{self.representation.name(self.windows)}"

    def _settings(self) -> dict[str, Any]:
        return {
            "windows": self.windows.model_dump(mode="json", serialize_as_any=True),
            "representation": self.representation.model_dump(mode="json", serialize_as_any=True),
        }


def label_jobs(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    settings: LabelSettings,
) -> dict[str, LabelJob]:
    """How to make labelled frames of every recording that has a label file."""
    return {
        key: LabelJob(path, label_files[key], key.split("/")[0], dataset, settings)
        for key, path in recordings.items()
        if key in label_files
    }


def encode_jobs(
    recordings: Mapping[str, Path],
    labelled_frames: Mapping[str, LabelledFrames],
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    storage: StorageSettings,
) -> dict[str, EncodeJob]:
    """How to encode every recording.

    Args:
        recordings: Files, by key.
        labelled_frames: Labelled frames of those that have any. Where this is a store, recordings
            whose labels could not be read fail as well, rather than being taken for unlabelled.
        dataset: Size of the sensor, for recordings that do not say it.
        windows: When to cut.
        representation: What to make of a window.
        storage: How to compress images.
    """
    failed = labelled_frames.failed if isinstance(labelled_frames, LabelStore) else {}
    jobs: dict[str, EncodeJob] = {}
    for key, path in recordings.items():
        frames = labelled_frames.get(key)
        jobs[key] = EncodeJob(
            recording_path=path,
            frame_times_us=() if frames is None else tuple(frames.times_us.tolist()),
            frame_interval_us=0 if frames is None else frames.interval_us,
            dataset=dataset,
            windows=windows,
            representation=representation,
            storage=storage,
            label_failure=failed.get(key, "").removeprefix("LabelError: "),
        )
    return jobs


def _check_image(representation: Representation, recording: Recording) -> None:
    shape = representation.channels, representation.height, representation.width
    num_bytes = math.prod(shape) * np.dtype(representation.dtype).itemsize
    if not 0 < num_bytes <= _LARGEST_IMAGE_BYTES:
        raise RecordingError(
            f"{recording.path}: a sensor of {recording.height} x {recording.width} px gives images "
            f"of {' x '.join(map(str, shape))}, which take {num_bytes} bytes; from 1 to "
            f"{_LARGEST_IMAGE_BYTES} can be stored: correct the size in the file, or change "
            "`representation.downsample`"
        )


def _check_classes(labels: LabelTable, dataset: DatasetSettings, path: Path) -> None:
    known = range(len(dataset.detected_classes))
    found = set(np.unique(labels["class_id"]).tolist())
    foreign = found.difference(known)
    if foreign:
        counted_from_one = ". Or do ids count from 1? Then subtract 1 from `class_id`"
        hint = counted_from_one if min(found) > 0 and foreign == {len(known)} else ""
        raise LabelError(
            f"{path} has boxes of class {max(foreign)}, but the dataset has only the classes "
            f"{dict(enumerate(dataset.detected_classes))}: complete `dataset.class_names`, or "
            f"drop others by the filters `select_classes` or `group_classes`{hint}"
        )
