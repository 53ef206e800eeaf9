"""Tracks of recordings, as counting, evaluation and report read them."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
from pydantic import ValidationError
from typing_extensions import override

from etram_pipeline.core.component import Settings
from etram_pipeline.core.counts import counted
from etram_pipeline.core.errors import StoreError
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TRACK_DTYPE, TrackTable

REMEDY = "run `kedro run --pipelines track`"
INDEX = "index.json"


class TrackedRecording(Settings):
    """What the index says about one recording.

    Attributes:
        rows: Rows of its table.
        tracks: Its tracks.
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
        start_us: Start of the first window, in microseconds.
        stop_us: End of the last window, in microseconds.
        started_at: Clock time of time zero; None if unknown.
    """

    rows: int
    tracks: int
    width: int
    height: int
    start_us: int
    stop_us: int
    started_at: datetime | None = None

    @property
    def observed(self) -> Observed:
        """Sensor and time of the recording."""
        return Observed(self.width, self.height, self.start_us, self.stop_us, self.started_at)


class TrackIndex(Settings):
    """Index of a folder of tracks.

    Attributes:
        class_names: Name of each class id.
        detections: Fingerprint of the detections.
        settings: Fingerprint of the settings of the tracker.
        training_run_id: MLflow run that trained the detector; empty if unknown.
        recordings: Recordings by key.
    """

    class_names: tuple[str, ...]
    detections: str
    settings: str
    training_run_id: str = ""
    recordings: dict[str, TrackedRecording]


@dataclass(frozen=True)
class TrackedTable:
    """Tracks of one recording, as they are saved."""

    table: TrackTable
    observed: Observed


class TrackStore(Mapping[str, TrackTable]):
    """Tracks by recording, read on access.

    Attributes:
        index: How they were made, and what was observed.
    """

    def __init__(self, root: Path) -> None:
        """Read the index of `root`.

        Raises:
            StoreError: If it is damaged.
        """
        self._root = root
        try:
            self.index = TrackIndex.model_validate_json((root / INDEX).read_bytes())
        except ValidationError as error:
            raise StoreError(f"{root / INDEX} is damaged: {REMEDY}") from error

    @property
    def class_names(self) -> tuple[str, ...]:
        """Name of each class id."""
        return self.index.class_names

    @property
    def training_run_id(self) -> str:
        """MLflow run that trained the detector; empty if unknown."""
        return self.index.training_run_id

    def observed(self, key: str) -> Observed:
        """Sensor and time of a recording."""
        return self.index.recordings[key].observed

    def __getitem__(self, key: str) -> TrackTable:
        import pyarrow.parquet as pq

        if key not in self.index.recordings:
            raise KeyError(key)
        path = self._root / f"{key}.parquet"
        names = list(TRACK_DTYPE.names or ())
        try:
            with pq.ParquetFile(path, pre_buffer=False) as file:
                table, row = np.zeros(file.metadata.num_rows, TRACK_DTYPE), 0
                for part in file.iter_batches(columns=names):
                    rows = table[row : row + part.num_rows]
                    for name in names:
                        rows[name] = part[name].to_numpy(zero_copy_only=False)
                    row += part.num_rows
        except (OSError, ValueError, KeyError) as error:
            raise StoreError(f"{path} is missing or damaged: {REMEDY}") from error
        return table

    @override
    def __contains__(self, key: object) -> bool:
        return key in self.index.recordings

    def __iter__(self) -> Iterator[str]:
        return iter(self.index.recordings)

    def __len__(self) -> int:
        return len(self.index.recordings)

    def __repr__(self) -> str:
        return f"TrackStore({self._root}, {counted(len(self), 'recording')})"

    def __fingerprint__(self) -> object:
        """Plain data that changes with the tracks."""
        return self.index.model_dump(mode="json")
