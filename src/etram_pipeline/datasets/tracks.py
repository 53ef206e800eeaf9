"""Tracks of many recordings, one parquet file per recording."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from kedro.io import AbstractDataset, DatasetError
from typing_extensions import override

from etram_pipeline.core.files import written_whole
from etram_pipeline.datasets.previews import TablePreview
from etram_pipeline.datasets.replaced_folder import new_folder, replace_folder, sweep, whole_folder
from etram_pipeline.datasets.track_store import (
    INDEX,
    REMEDY,
    TrackedRecording,
    TrackedTable,
    TrackIndex,
    TrackStore,
)
from etram_pipeline.tracks.table import TrackTable


@dataclass(frozen=True)
class Tracking:
    """Tracks to save, computed recording by recording, and their origin.

    Attributes:
        tables: Key and tracks of each recording.
        class_names: Name of each class id.
        detections: Fingerprint of the detections.
        settings: Fingerprint of the settings of the tracker.
        training_run_id: MLflow run that trained the detector; empty if unknown.
    """

    tables: Iterable[tuple[str, TrackedTable]]
    class_names: tuple[str, ...]
    detections: str
    settings: str
    training_run_id: str = ""


class TracksDataset(AbstractDataset[Tracking, TrackStore]):
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
    def load(self) -> TrackStore:
        root = whole_folder(self._path, INDEX)
        if root is None:
            raise DatasetError(f"{self._path} is not complete: {REMEDY}")
        return TrackStore(root)

    @override
    def save(self, data: Tracking) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        sweep(self._path)
        with new_folder(self._path) as new:
            recordings = {}
            for key, tracked in data.tables:
                write_tracks(new / f"{key}.parquet", tracked.table)
                recordings[key] = _described(tracked)
            index = TrackIndex(
                class_names=data.class_names,
                detections=data.detections,
                settings=data.settings,
                training_run_id=data.training_run_id,
                recordings=recordings,
            )
            with written_whole(new / INDEX) as partial:
                partial.write_text(index.model_dump_json(indent=1))
            replace_folder(self._path, new)

    @override
    def _exists(self) -> bool:
        return whole_folder(self._path, INDEX) is not None

    @override
    def _describe(self) -> dict[str, Any]:
        return {"path": str(self._path)}

    def preview(self, nrows: int = 20) -> TablePreview:
        """Number of tracks and length of each recording, for kedro-viz."""
        found = list(self.load().index.recordings.items())[:nrows]
        rows = [
            [key, each.tracks, round((each.stop_us - each.start_us) / 1e6, 1)]
            for key, each in found
        ]
        columns = ["recording", "tracks", "seconds"]
        return TablePreview({"columns": columns, "index": list(range(len(rows))), "data": rows})


def _described(tracked: TrackedTable) -> TrackedRecording:
    return TrackedRecording(
        rows=len(tracked.table),
        tracks=len(np.unique(tracked.table["track_id"])),
        **asdict(tracked.observed),
    )


def write_tracks(path: Path, table: TrackTable) -> None:
    """Write a table of tracks as parquet, completely or not at all."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: np.ascontiguousarray(table[name]) for name in table.dtype.names or ()}
    with written_whole(path) as partial:
        pq.write_table(pa.table(columns), partial)
