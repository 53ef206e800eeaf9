"""Detections that another program or another project made; nothing of them is ever written."""

from collections.abc import Collection, Mapping
from math import floor
from pathlib import Path

from typing_extensions import override

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.detection_store import DetectionSource, DetectionStore, Origin
from etram_pipeline.labels.detection_files.content import (
    check_format,
    content_digest,
    read_detections,
)
from etram_pipeline.labels.detection_files.known import KnownRecordings
from etram_pipeline.labels.detection_files.tables import read_index
from etram_pipeline.labels.detections import DetectionTable

_COMPLETE = {"recordings", "class_names", "training_run_id"}
"""Keys of the index that a run of this project writes."""


class ForeignDetections(DetectionSource):
    """A file or folder of detections in the format of another program."""

    origin: Origin

    def __init__(self, origin: Origin, images: Path | None) -> None:
        """Read `origin` when recordings are known; `images` is a COCO annotation file."""
        self.origin = origin
        self._images = images
        self._last: tuple[KnownRecordings, ForeignStore] | None = None

    @override
    def of(self, keys: Collection[str], dataset: DatasetSettings) -> DetectionStore:
        known = KnownRecordings(tuple(sorted(keys)), dataset, self._images)
        if self._last is None or self._last[0] != known:  # large files are read once per run
            tables = read_detections(self.origin.path, known)
            self._last = known, ForeignStore(tables, dataset.detected_classes, self.origin)
        return self._last[1]

    @override
    def __fingerprint__(self) -> object:
        images = "" if self._images is None else content_digest(self._images)
        return [self.origin.content, images]


class ForeignStore(DetectionStore):
    """Detections of another program by recording, with the class ids of the dataset.

    Nothing is known of the detector that made them.
    """

    def __init__(
        self, tables: Mapping[str, DetectionTable], class_names: tuple[str, ...], origin: Origin
    ) -> None:
        """Give tables that were read the properties of stored ones."""
        self.origin = origin
        self._tables = dict(tables)
        self._counts = {key: len(table) for key, table in tables.items()}
        self.class_names = class_names
        self.training_run_id = ""
        self.operating_scores = None
        lowest = [table["score"].min() for table in self._tables.values() if len(table)]
        # Rounded down: the lowest score is near the threshold, which is unknown, but not equal.
        self.score_threshold = floor(100 * float(min(lowest))) / 100 if lowest else None
        self.has_masks = False
        self.calibration = None
        self.are_calibrated = False

    @override
    def __getitem__(self, key: str) -> DetectionTable:
        return self._tables[key]

    @override
    def with_masks(self) -> DetectionStore:
        return self

    @override
    def __repr__(self) -> str:
        return f"ForeignStore({self.origin})"


def open_foreign(path: Path, images: Path | None) -> DetectionSource:
    """Detections at a path, in any known format.

    The folder that a run of this project saved keeps what is known of the training.

    Raises:
        LabelError: If there is nothing, or nothing that can be read.
    """
    check_format(path)
    origin = Origin(path, content_digest(path))
    if path.is_dir() and read_index(path).keys() >= _COMPLETE:
        return DetectionStore(path, origin=origin)
    return ForeignDetections(origin, images)
