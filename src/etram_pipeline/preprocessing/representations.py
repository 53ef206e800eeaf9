"""Representations of recordings: cuts events into windows, encodes and stores them."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, RecordingError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.recording import Recording
from etram_pipeline.events.encode import draw_windows
from etram_pipeline.events.held import Tally
from etram_pipeline.events.image_buffer import ImageBuffers
from etram_pipeline.events.recording import open_recording
from etram_pipeline.events.representations import Representation, RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.stores.compression import num_threads
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.layout import (
    FRAME_WINDOWS_FILE,
    IMAGES_FILES,
    REPRESENTATIONS,
    TIMES_FILE,
)
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.settings import StorageSettings
from etram_pipeline.stores.writer import write_representations

_LARGEST_IMAGE_BYTES = 2**31 - 2**16
"""Largest input of Blosc."""


@dataclass(frozen=True)
class EncodeJob(BuildJob):
    """Encodes a recording and stores its representations.

    Boxes are not inputs: stored representations stay valid if a label filter changes boxes but not
    the times of labelled frames.

    Attributes:
        recording_path: The recording.
        frame_times_us: Times of its labelled frames, in microseconds.
        frame_interval_us: Regular time between labelled frames, in microseconds; 0 if unknown.
        dataset: Sensor size for a recording that does not state it, and the clock.
        windows: When windows start and end.
        representation: How a window is encoded.
        storage: How images are compressed.
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
            self.recording_path,
            size=(self.dataset.height, self.dataset.width),
            clock=self.dataset.clock,
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
        # One buffer for each thread, one being drawn, and one waiting for a thread.
        buffers = ImageBuffers(representation.buffer() for _ in range(num_threads() + 2))
        drawn = draw_windows(recording, plan, representation, buffers.take, tally)

        def describe(num_bytes: int) -> Record:
            summary = Summary(
                num_windows=len(plan.stop_us),
                num_frames=len(plan.frame_windows),
                num_bytes=num_bytes,
                started_at=_time_of_zero(recording),
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
            **({} if self.dataset.clock == "file" else {"clock": self.dataset.clock}),
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


def _time_of_zero(recording: Recording) -> datetime | None:
    """Clock time of time zero; the clocks of cameras seldom start with the recording."""
    if recording.started_at is None:
        return None
    try:
        return recording.started_at - timedelta(microseconds=recording.start_us)
    except OverflowError:  # a camera whose clock was never set
        return None


def encode_jobs(
    recordings: Mapping[str, Path],
    labelled_frames: Mapping[str, LabelledFrames],
    dataset: DatasetSettings,
    windows: WindowConfig,
    representation: RepresentationConfig,
    storage: StorageSettings,
) -> dict[str, EncodeJob]:
    """One job for every recording.

    Args:
        recordings: Files, by key.
        labelled_frames: Labelled frames by key; recordings without labels are missing. If this is a
            store, recordings whose labels could not be read fail instead of being unlabelled.
        dataset: Sensor size for recordings that do not state it.
        windows: When windows start and end.
        representation: How a window is encoded.
        storage: How images are compressed.
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
            label_failure=failed[key].message if key in failed else "",
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
