"""Detections of many recordings: one parquet file each."""

import json
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from kedro_datasets._typing import TablePreview
from typing_extensions import override

from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.files import written_whole
from etram_pipeline.core.wording import counted
from etram_pipeline.evaluation.detections import DETECTION_DTYPE, DetectionTable

INDEX = "index.json"


@dataclass(frozen=True)
class Prediction:
    """Detections as they are made, and where they come from.

    Attributes:
        tables: Recording and its detections, one after another.
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if not known.
    """

    tables: Iterable[tuple[str, DetectionTable]]
    class_names: tuple[str, ...]
    training_run_id: str = ""


class DetectionStore(Mapping[str, DetectionTable]):
    """Detections by recording, read when asked for.

    Attributes:
        class_names: Name of each class id.
        training_run_id: MLflow run that trained the detector; empty if not known.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        index = json.loads((root / INDEX).read_text())
        self._counts: dict[str, int] = index["recordings"]
        self.class_names: tuple[str, ...] = tuple(index["class_names"])
        self.training_run_id: str = index["training_run_id"]

    def __getitem__(self, key: str) -> DetectionTable:
        import pyarrow.parquet as pq

        if key not in self._counts:
            raise KeyError(key)
        path = self._root / f"{key}.parquet"
        columns = pq.read_table(path)
        missing = sorted(set(DETECTION_DTYPE.names or ()) - set(columns.column_names))
        if missing:
            raise LabelError(
                f"{path} has columns {columns.column_names}, but lacks {missing}: "
                "run `kedro run --pipelines predict`"
            )
        table = np.zeros(columns.num_rows, DETECTION_DTYPE)
        for name in DETECTION_DTYPE.names or ():
            table[name] = columns[name].to_numpy()
        return table

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

    Each table is written as it comes, to a folder beside, which takes the place of the last one
    when it is whole.

    Args:
        path: The folder, relative to the project.
        metadata: Read by kedro-viz.
    """

    def __init__(self, *, path: str, metadata: dict[str, Any] | None = None) -> None:
        self._path = Path(path)
        self.metadata = metadata

    @override
    def load(self) -> DetectionStore:
        if not self._exists():
            raise DatasetError(f"{self._path} is not complete: run `kedro run --pipelines predict`")
        return DetectionStore(self._path)

    @override
    def save(self, data: Prediction) -> None:
        new, old = (self._path.with_name(f"{self._path.name}.{word}") for word in ("new", "old"))
        shutil.rmtree(new, ignore_errors=True)
        counts: dict[str, int] = {}
        for key, table in data.tables:
            _write(new / f"{key}.parquet", table)
            counts[key] = len(table)
        index = {
            "training_run_id": data.training_run_id,
            "class_names": data.class_names,
            "recordings": counts,
        }
        with written_whole(new / INDEX) as partial:
            partial.write_text(json.dumps(index, indent=1))
        shutil.rmtree(old, ignore_errors=True)
        if self._path.exists():
            self._path.rename(old)
        new.rename(self._path)
        shutil.rmtree(old, ignore_errors=True)

    @override
    def _exists(self) -> bool:
        return (self._path / INDEX).is_file()

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self, nrows: int = 20) -> TablePreview:
        """Number of detections by recording, for kedro-viz."""
        rows = [[key, count] for key, count in list(self.load().counts.items())[:nrows]]
        columns = ["recording", "detections"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})


def _write(path: Path, table: DetectionTable) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: np.ascontiguousarray(table[name]) for name in DETECTION_DTYPE.names or ()}
    with written_whole(path) as partial:
        pq.write_table(pa.table(columns), partial)
