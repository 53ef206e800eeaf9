"""Detections of recordings, as the evaluation and the report read them."""

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from typing_extensions import override

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.counts import counted
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.core.mask_column import MASK_COLUMN, with_masks
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.labels.detection_files.tables import INDEX
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable, calibrated_dtype

REMEDY = "run `kedro run --pipelines predict`"


@dataclass(frozen=True)
class Origin:
    """Where detections come from that this run did not make.

    Attributes:
        path: The file or folder.
        content: Fingerprint of its content.
    """

    path: Path
    content: str

    def __str__(self) -> str:
        return f"{self.path} ({self.content})"


class DetectionSource(ABC):
    """Detections that may still have to be matched to recordings and classes.

    Attributes:
        origin: Where they come from; None for those that the project keeps itself.
    """

    origin: Origin | None = None

    @abstractmethod
    def of(self, keys: Collection[str], dataset: DatasetSettings) -> "DetectionStore":
        """The detections by recording, with the class ids of a dataset.

        Args:
            keys: Labelled recordings.
            dataset: Sensor and classes of their labels.

        Raises:
            LabelError: If the detections do not fit these.
        """

    @abstractmethod
    def __fingerprint__(self) -> object:
        """Plain data that changes with the detections."""


class DetectionStore(DetectionSource, Mapping[str, DetectionTable]):
    """Detections by recording, read on access.

    Attributes:
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if unknown.
        operating_scores: Scores that were best in the validation of the training; None if unknown.
        score_threshold: Lowest score that the detector gave a detection; None if unknown.
        has_masks: Whether any detection has a mask.
        calibration: Scaling of scores that belongs to the detector; None if unknown.
        are_calibrated: Whether it was applied to the scores and the operating scores.
    """

    def __init__(self, root: Path, *, masks: bool = False, origin: Origin | None = None) -> None:
        """Read the index of `root`; tables are read with their masks only if `masks` is set."""
        self.origin = origin
        self._root = root
        self._masks = masks
        try:
            index = json.loads((root / INDEX).read_text())
            self._counts = {str(key): int(number) for key, number in index["recordings"].items()}
            self.class_names = tuple(map(str, index["class_names"]))
            self.training_run_id = str(index["training_run_id"])
            scores, threshold = index.get("operating_scores"), index.get("score_threshold")
            self.operating_scores = scores and OperatingScores.model_validate(scores)
            self.score_threshold = None if threshold is None else float(threshold)
            self.has_masks = bool(index.get("masks", False))
            scaling = index.get("calibration")
            self.calibration = scaling and Calibration.model_validate(scaling)
            self.are_calibrated = bool(index.get("are_calibrated", False))
        except (KeyError, TypeError, ValueError, AttributeError, RecursionError) as error:
            raise StoreError(f"{root / INDEX} is damaged: {self._remedy}") from error

    def __getitem__(self, key: str) -> DetectionTable:
        import pyarrow.parquet as pq

        if key not in self._counts:
            raise KeyError(key)
        path = self._root / f"{key}.parquet"
        names = list(DETECTION_DTYPE.names or ())
        try:
            with pq.ParquetFile(path) as file:
                found = file.schema_arrow.names
                masked = self._masks and MASK_COLUMN in found
                wanted = [*names, MASK_COLUMN] if masked else names
                columns = file.read(wanted)
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is missing or damaged: {self._remedy}") from error
        missing = sorted(set(names) - set(found))
        if missing:
            raise LabelError(f"{path} has columns {found}, but lacks {missing}: {self._remedy}")
        dtype = calibrated_dtype() if self.are_calibrated else DETECTION_DTYPE
        table = np.zeros(columns.num_rows, dtype)
        try:
            for name in names:
                table[name] = columns[name].to_numpy()
        except ValueError as error:
            raise StoreError(f"{path} is damaged: {self._remedy}") from error
        return with_masks(table, columns[MASK_COLUMN].to_pylist()) if masked else table

    def with_masks(self) -> "DetectionStore":
        """The same detections, read with their masks as far as they have any."""
        return DetectionStore(self._root, masks=True, origin=self.origin)

    @override
    def of(self, keys: Collection[str], dataset: DatasetSettings) -> "DetectionStore":
        return self

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._counts

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"DetectionStore({self._root}, {counted(len(self), 'recording')})"

    @override
    def __fingerprint__(self) -> object:
        content = [] if self.origin is None else [self.origin.content]
        scaling = [self.calibration] if self.are_calibrated else []
        return [self.training_run_id, self._counts, *content, *scaling]

    @property
    def _remedy(self) -> str:
        return REMEDY if self.origin is None else "give the complete folder of another run"

    @property
    def counts(self) -> dict[str, int]:
        """Number of detections of each recording."""
        return dict(self._counts)
