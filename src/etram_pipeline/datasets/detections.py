"""Detections of many recordings, one parquet file per recording."""

import errno
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from glob import escape
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import LabelError, StoreError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.mask_column import MASK_COLUMN, has_masks, with_masks
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable

INDEX = "index.json"

_REMEDY = "run `kedro run --pipelines predict`"
_OLD = ".old"
_PARTIAL = ".partial"


@dataclass(frozen=True)
class Prediction:
    """Detections to save, computed recording by recording, and their origin.

    Attributes:
        tables: Key and detections of each recording.
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if unknown.
        operating_scores: Scores that were best in the validation of the training; None if unknown.
        score_threshold: Lowest score of a detection; None if unknown.
    """

    tables: Iterable[tuple[str, DetectionTable]]
    class_names: tuple[str, ...]
    training_run_id: str = ""
    operating_scores: OperatingScores | None = None
    score_threshold: float | None = None


class DetectionStore(Mapping[str, DetectionTable]):
    """Detections by recording, read on access.

    Attributes:
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if unknown.
        operating_scores: Scores that were best in the validation of the training; None if unknown.
        score_threshold: Lowest score of a detection; None if unknown.
        has_masks: Whether any detection has a mask.
    """

    def __init__(self, root: Path, *, masks: bool = False) -> None:
        """Read the index of `root`; tables are read with their masks only if `masks` is set."""
        self._root = root
        self._masks = masks
        index = json.loads((root / INDEX).read_text())
        self._counts: dict[str, int] = index["recordings"]
        self.class_names: tuple[str, ...] = tuple(index["class_names"])
        self.training_run_id: str = index["training_run_id"]
        scores = index.get("operating_scores")
        self.operating_scores = None if scores is None else OperatingScores.model_validate(scores)
        self.score_threshold: float | None = index.get("score_threshold")
        self.has_masks: bool = index.get("masks", False)

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
            raise StoreError(f"{path} is missing or damaged: {_REMEDY}") from error
        missing = sorted(set(names) - set(found))
        if missing:
            raise LabelError(f"{path} has columns {found}, but lacks {missing}: {_REMEDY}")
        table = np.zeros(columns.num_rows, DETECTION_DTYPE)
        for name in names:
            table[name] = columns[name].to_numpy()
        return with_masks(table, columns[MASK_COLUMN].to_pylist()) if masked else table

    def with_masks(self) -> "DetectionStore":
        """The same detections, read with their masks as far as they have any."""
        return DetectionStore(self._root, masks=True)

    @override
    def __contains__(self, key: object) -> bool:
        return key in self._counts

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def __repr__(self) -> str:
        return f"DetectionStore({self._root}, {counted(len(self), 'recording')})"

    def __fingerprint__(self) -> object:
        return [self.training_run_id, self._counts]

    @property
    def counts(self) -> dict[str, int]:
        """Number of detections of each recording."""
        return dict(self._counts)


class DetectionsDataset(AbstractDataset[Prediction, DetectionStore]):
    """A folder of parquet files `<split>/<recording>.parquet`.

    Tables are written one by one to a temporary folder, which replaces the old folder when it is
    complete.

    Args:
        path: The folder, relative to the project.
        metadata: Read by kedro-viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @override
    def load(self) -> DetectionStore:
        root = self._whole()
        if root is None:
            raise DatasetError(f"{self._path} is not complete: {_REMEDY}")
        try:
            return DetectionStore(root)
        except (ValueError, LookupError, TypeError) as error:
            raise DatasetError(f"{root / INDEX} is damaged: {_REMEDY}") from error

    @override
    def save(self, data: Prediction) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(self._path)
        with _new_folder(self._path) as new:
            counts: dict[str, int] = {}
            masked = False
            for key, table in data.tables:
                _write(new / f"{key}.parquet", table)
                counts[key] = len(table)
                masked = masked or has_masks(table)
            scores = data.operating_scores
            index = {
                "training_run_id": data.training_run_id,
                "operating_scores": None if scores is None else scores.model_dump(mode="json"),
                "score_threshold": data.score_threshold,
                "class_names": data.class_names,
                "recordings": counts,
                **({"masks": True} if masked else {}),
            }
            with written_whole(new / INDEX) as partial:
                partial.write_text(json.dumps(index, indent=1))
            _replace(self._path, new)

    @override
    def _exists(self) -> bool:
        return self._whole() is not None

    def _whole(self) -> Path | None:
        """The complete folder; the old one if a process was killed while replacing it."""
        former = sorted(self._path.parent.glob(f"{escape(self._path.name)}{_OLD}*"))
        return next((each for each in (self._path, *former) if (each / INDEX).is_file()), None)

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self, nrows: int = 20) -> TablePreview:
        """Number of detections by recording, for kedro-viz."""
        rows = [[key, count] for key, count in list(self.load().counts.items())[:nrows]]
        columns = ["recording", "detections"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})


@contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A temporary folder next to `path`, removed at the end unless it was renamed.

    It is locked while it is written. The system releases the lock of a process that was killed.
    """
    new = path.with_name(f".{path.name}.{secrets.token_hex(4)}{_PARTIAL}")
    new.mkdir()
    handle = os.open(new, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield new
    finally:
        os.close(handle)
        shutil.rmtree(new, ignore_errors=True)


def _sweep(path: Path) -> None:
    """Remove the unfinished folders of processes that were killed."""
    for left in path.parent.glob(f".{escape(path.name)}.*{_PARTIAL}"):
        with suppress(OSError):  # locked, or on a file system without locks
            handle = os.open(left, os.O_RDONLY)
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(left)
            finally:
                os.close(handle)


def _replace(path: Path, new: Path) -> None:
    """Replace a folder by another one; readers find one of them at any time."""
    while True:
        old = path.with_name(f"{path.name}{_OLD}.{secrets.token_hex(4)}")
        with suppress(FileNotFoundError):
            path.rename(old)
        try:
            new.rename(path)
        except OSError as error:
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
            continue  # another process was faster; replace its folder
        break
    for each in path.parent.glob(f"{escape(path.name)}{_OLD}*"):
        shutil.rmtree(each, ignore_errors=True)


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
