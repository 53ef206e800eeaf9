"""Detections of many recordings, one parquet file per recording, or those of another program."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.calibration import Calibration
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.mask_column import MASK_COLUMN, has_masks
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.detection_store import REMEDY, DetectionSource, DetectionStore
from etram_pipeline.datasets.files import ReadsAnother
from etram_pipeline.datasets.foreign_detections import open_foreign
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.replaced_folder import new_folder, replace_folder, sweep, whole_folder
from etram_pipeline.labels.detection_files.tables import INDEX
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable


@dataclass(frozen=True)
class Prediction:
    """Detections to save, computed recording by recording, and their origin.

    Attributes:
        tables: Key and detections of each recording.
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if unknown.
        operating_scores: Scores that were best in the validation of the training; None if unknown.
        score_threshold: Lowest score that the detector gave a detection; None if unknown.
        calibration: Scaling of scores that belongs to the detector; None if unknown.
        are_calibrated: Whether it was applied to the scores and the operating scores.
    """

    tables: Iterable[tuple[str, DetectionTable]]
    class_names: tuple[str, ...]
    training_run_id: str = ""
    operating_scores: OperatingScores | None = None
    score_threshold: float | None = None
    calibration: Calibration | None = None
    are_calibrated: bool = False


class DetectionsDataset(ReadsAnother, AbstractDataset[Prediction, DetectionSource]):
    """A folder of parquet files `<split>/<recording>.parquet`.

    Tables are written one by one to a temporary folder, which replaces the old folder when it is
    complete.

    Args:
        path: The folder, relative to the project.
        read_from: Detections of another program to load instead, as `{path: …, images: …}`, where
            `images` is a COCO annotation file. They are never written, and a run that would save to
            this dataset is refused.
        metadata: Read by kedro-viz.

    Attributes:
        images: The annotation file; None without any.
    """

    def __init__(
        self,
        *,
        path: str,
        read_from: dict[str, str | None] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        self._path = Path(path)
        given = read_from or {}
        self._reads_another = bool(given.get("path"))
        self.source = Path(given.get("path") or path)
        self.images = Path(images) if (images := given.get("images")) else None
        self.metadata = metadata
        self._opened: DetectionSource | None = None

    @property
    @override
    def reads_another(self) -> bool:
        return self._reads_another

    @override
    def load(self) -> DetectionSource:
        if self.reads_another:
            if self._opened is None:
                self._opened = open_foreign(self.source, self.images)
            return self._opened
        root = self._whole()
        if root is None:
            raise DatasetError(f"{self._path} is not complete: {REMEDY}")
        try:
            return DetectionStore(root)
        except (ValueError, LookupError, TypeError) as error:
            raise DatasetError(f"{root / INDEX} is damaged: {REMEDY}") from error

    @override
    def save(self, data: Prediction) -> None:
        if self.reads_another:
            raise DatasetError(f"{self.source} is only read; drop `detections` to save new ones")
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._path)
        with new_folder(self._path) as new:
            counts: dict[str, int] = {}
            masked = False
            for key, table in data.tables:
                _write(new / f"{key}.parquet", table)
                counts[key] = len(table)
                masked = masked or has_masks(table)
            scores, scaling = data.operating_scores, data.calibration
            index = {
                "training_run_id": data.training_run_id,
                "operating_scores": None if scores is None else scores.model_dump(mode="json"),
                "score_threshold": data.score_threshold,
                "class_names": data.class_names,
                "recordings": counts,
                **({"masks": True} if masked else {}),
                **({} if scaling is None else {"calibration": scaling.model_dump(mode="json")}),
                **({"are_calibrated": True} if data.are_calibrated else {}),
            }
            with written_whole(new / INDEX) as partial:
                partial.write_text(json.dumps(index, indent=1))
            replace_folder(self._path, new)

    @override
    def _exists(self) -> bool:
        return self.source.exists() if self.reads_another else self._whole() is not None

    def _whole(self) -> Path | None:
        return whole_folder(self._path, INDEX)

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path), "read_from": str(self.source)}

    def preview(self, nrows: int = 20) -> TablePreview:
        """Number of detections by recording, for kedro-viz."""
        found = self.load()
        counts = found.counts if isinstance(found, DetectionStore) else {}
        rows = [[key, count] for key, count in list(counts.items())[:nrows]]
        columns = ["recording", "detections"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})


def _write(path: Path, table: DetectionTable) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns: dict[str, Any] = {
        name: np.ascontiguousarray(table[name]) for name in DETECTION_DTYPE.names or ()
    }
    if has_masks(table):
        run_lengths = pa.struct({"size": pa.list_(pa.int32()), "counts": pa.string()})
        columns[MASK_COLUMN] = pa.array(table[MASK_COLUMN].tolist(), run_lengths)
    with written_whole(path) as partial:
        pq.write_table(pa.table(columns), partial)
