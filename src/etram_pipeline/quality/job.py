"""Measures the quality of a recording and its label file, and stores the result."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Int64
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.component import Settings
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.recording import Clock, Recording
from etram_pipeline.events.recording import open_recording
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable, read_labels
from etram_pipeline.labels.units import likely_clock
from etram_pipeline.quality.event_quality import EventQuality, EventStatistics, LastEvents
from etram_pipeline.quality.label_quality import LabelQuality, RecordingExtent, measure_labels
from etram_pipeline.quality.settings import QualitySettings
from etram_pipeline.stores.layout import QUALITY, RECORD_FILE, files_of_recordings
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.store import Store

logger = logging.getLogger(__name__)

QUALITY_FILE = "quality.json"

_NUM_SHOWN = 5


class RecordingQuality(Settings):
    """Measurements of a recording and its label file.

    Attributes:
        height: Rows of the sensor, in px.
        width: Columns of the sensor, in px.
        events: Measurements of its events.
        labels: Measurements of its labels; None without a readable label file.
        label_failure: Why its label file cannot be read; empty if it can, or if there is none.
        moments_of_bin: Labelled times in each bin of `EventQuality.events_of_bin`.
        num_bytes_ignored: Bytes of an incomplete record at the end of the file.
    """

    height: int
    width: int
    events: EventQuality
    labels: LabelQuality | None = None
    label_failure: str = ""
    moments_of_bin: tuple[int, ...] = ()
    num_bytes_ignored: int = 0


@dataclass(frozen=True)
class QualityJob(BuildJob):
    """Reads a recording and its label file once, and stores their measurements.

    Attributes:
        recording_path: The recording.
        label_path: Its label file; None if it has none.
        size: Height and width of the sensor in px, for recordings that do not state them.
        settings: Thresholds.
        clock: Clock of the recording.
    """

    recording_path: Path
    label_path: Path | None
    size: tuple[int, int]
    settings: QualitySettings
    clock: Clock = "file"

    recipe: ClassVar[str] = "QualityJob 2"
    reads_whole: ClassVar[bool] = True

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        return f"{QUALITY}/{QUALITY_FILE}", f"{QUALITY}/{RECORD_FILE}"

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        quality = self._check()
        num_boxes = quality.labels.num_boxes if quality.labels else 0
        record = Record(
            fingerprint=fingerprint,
            settings={"quality": self.settings.model_dump(mode="json")},
            summary=Summary(num_events=quality.events.num_events, num_boxes=num_boxes),
        )
        # Without a record, files written from here on count as unfinished.
        (folder / QUALITY / RECORD_FILE).unlink(missing_ok=True)
        for name, content in ((QUALITY_FILE, quality), (RECORD_FILE, record)):
            with written_whole(folder / QUALITY / name) as partial:
                partial.write_text(content.model_dump_json(indent=1))
        return record

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        files = (self.recording_path, self.label_path)
        return tuple(path for path in files if path is not None)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        clock = {} if self.clock == "file" else {"clock": self.clock}
        settings = self.settings.model_dump(mode="json")
        return {"sensor": list(self.size), **clock, "quality": settings}

    def _check(self) -> RecordingQuality:
        recording = open_recording(self.recording_path, size=self.size, clock=self.clock)
        labels, failure = self._read_labels()
        moments_us = np.unique(labels["t"].astype(np.int64))
        events, last_event_us = self._read_events(recording, moments_us)
        found = None
        if self.label_path is not None and not failure:
            extent = RecordingExtent(
                height=recording.height,
                width=recording.width,
                span_us=(events.start_us, events.last_us) if events.num_kept else None,
                gap_us=1000 * self.settings.gap_ms,
            )
            found = measure_labels(labels, last_event_us, extent)
            if self.clock == "file":
                found = found.model_copy(update={"clock": likely_clock(labels, recording) or ""})
        return RecordingQuality(
            height=recording.height,
            width=recording.width,
            events=events,
            labels=found,
            label_failure=failure,
            moments_of_bin=_count_in_bins(moments_us, events),
            num_bytes_ignored=recording.num_bytes_ignored,
        )

    def _read_labels(self) -> tuple[LabelTable, str]:
        if self.label_path is None:
            return np.zeros(0, LABEL_DTYPE), ""
        try:
            return read_labels(self.label_path), ""
        except LabelError as error:
            # The events can be checked without labels.
            return np.zeros(0, LABEL_DTYPE), str(error)

    def _read_events(
        self, recording: Recording, moments_us: Int64[np.ndarray, " M"]
    ) -> tuple[EventQuality, Int64[np.ndarray, " M"]]:
        statistics = EventStatistics(recording.height, recording.width, self.settings)
        last_events = LastEvents(moments_us)
        for events in recording.read():
            statistics.add(events)
            last_events.add(events)
        return statistics.result(), last_events.result()


def quality_jobs(
    recordings: Mapping[str, Path],
    label_files: Mapping[str, Path],
    dataset: DatasetSettings,
    settings: QualitySettings,
) -> dict[str, QualityJob]:
    """One job per recording; label files without a recording are logged.

    Args:
        recordings: Recordings by `<split>/<name>`.
        label_files: Label files by `<split>/<name>`.
        dataset: Size of the sensor, for recordings that do not state it, and their clock.
        settings: Thresholds.
    """
    strays = sorted(set(label_files) - set(recordings))
    if strays:
        logger.warning(
            "%d label files belong to no recording (%s%s): a label file must be named "
            "<recording>_bbox.npy and lie in the split of its recording",
            len(strays),
            ", ".join(str(label_files[key]) for key in strays[:_NUM_SHOWN]),
            " …" if len(strays) > _NUM_SHOWN else "",
        )
    size = dataset.height, dataset.width
    return {
        key: QualityJob(path, label_files.get(key), size, settings, dataset.clock)
        for key, path in recordings.items()
    }


class QualityStore(Store[RecordingQuality]):
    """Measurements of each recording; recordings that cannot be read are in `failed`."""

    def __init__(self, root: Path) -> None:
        """Find the recordings under `root`.

        Raises:
            StoreError: If there are none, or if a run that measured them was interrupted.
        """
        super().__init__(root, QUALITY)

    @override
    def __getitem__(self, key: str) -> RecordingQuality:
        path = self._files[key].with_name(QUALITY_FILE)
        try:
            return RecordingQuality.model_validate_json(path.read_text())
        except (OSError, ValidationError) as error:
            raise StoreError(
                f"{path} is missing or damaged; delete its folder and run `quality` again: {error}"
            ) from error

    @override
    def _scanned(self) -> dict[str, Path]:
        return files_of_recordings(self._root, f"{QUALITY}/{RECORD_FILE}")


def _count_in_bins(moments_us: Int64[np.ndarray, " M"], events: EventQuality) -> tuple[int, ...]:
    num_bins = len(events.events_of_bin)
    places = (moments_us - events.start_us) // events.bin_us
    inside = places[(places >= 0) & (places < num_bins)]
    return tuple(np.bincount(inside, minlength=num_bins).tolist())
