"""Stored tracks: whole or as they were before, and read back as they were saved."""

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from etram_pipeline.core.errors import StoreError
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.datasets.track_store import INDEX, TrackedTable, TrackStore
from etram_pipeline.datasets.tracks import Tracking, TracksDataset
from etram_pipeline.tracks.observed import Observed
from etram_pipeline.tracks.table import TrackTable, empty_tracks

OBSERVED = Observed(640, 384, 0, 5_000_000, datetime(2026, 5, 4, 7, 30))


def table(rows: int) -> TrackTable:
    made = empty_tracks(rows)
    made["t"], made["track_id"] = np.arange(rows) * 50_000, 1 + np.arange(rows) % 2
    made["x"] = np.linspace(0.1, 0.9, rows)
    return made


def tracking(*tables: tuple[str, TrackTable], detections: str = "d") -> Tracking:
    return Tracking(
        [(key, TrackedTable(each, OBSERVED)) for key, each in tables],
        ("car", "tram"),
        detections,
        "s",
        "run7",
    )


def test_tables_come_back_as_they_were_saved(tmp_path: Path) -> None:
    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    dataset.save(tracking(("test/a", table(5)), ("test/b", table(0))))

    store = dataset.load()

    assert (store.class_names, store.training_run_id) == (("car", "tram"), "run7")
    assert list(store) == ["test/a", "test/b"]
    assert store.observed("test/a") == OBSERVED
    assert store["test/a"].tobytes() == table(5).tobytes()
    assert len(store["test/b"]) == 0
    assert dataset.preview() == {
        "columns": ["recording", "tracks", "seconds"],
        "index": [0, 1],
        "data": [["test/a", 2, 5.0], ["test/b", 0, 5.0]],
    }


def test_other_detections_give_another_fingerprint(tmp_path: Path) -> None:
    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    found = set()
    for detections in ("d", "e"):
        dataset.save(tracking(("test/a", table(5)), detections=detections))
        found.add(fingerprint(dataset.load()))
    assert len(found) == 2


def test_interrupted_tracking_leaves_the_last_tracks_as_they_were(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[str, TrackedTable]]:
        yield "test/a", TrackedTable(table(2), OBSERVED)
        raise KeyboardInterrupt

    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    dataset.save(tracking(("test/a", table(5))))
    with pytest.raises(KeyboardInterrupt):
        dataset.save(Tracking(interrupted(), ("car",), "d", "s"))

    assert len(dataset.load()["test/a"]) == 5
    assert [path.name for path in tmp_path.iterdir()] == ["tracks"]


def test_missing_tracks_name_the_pipeline(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="run `kedro run --pipelines track`"):
        TracksDataset(path=str(tmp_path / "tracks")).load()


@pytest.mark.parametrize("content", [b"", b"{", b"[1]", b'{"a": 1}', os.urandom(300)])
def test_a_damaged_index_is_told(tmp_path: Path, content: bytes) -> None:
    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    dataset.save(tracking(("test/a", table(5))))
    (tmp_path / "tracks" / INDEX).write_bytes(content)

    with pytest.raises(DatasetError, match=r"index\.json is damaged: run `kedro run"):
        dataset.load()


@pytest.mark.parametrize("content", [None, b"", b"PAR1", os.urandom(300)])
def test_damaged_or_missing_tracks_of_a_recording_are_told(
    tmp_path: Path, content: bytes | None
) -> None:
    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    dataset.save(tracking(("test/a", table(5))))
    path = tmp_path / "tracks" / "test" / "a.parquet"
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(StoreError, match=r"a\.parquet is missing or damaged: run `kedro run"):
        TrackStore(tmp_path / "tracks")["test/a"]


def test_tracks_that_lack_a_column_are_told(tmp_path: Path) -> None:
    dataset = TracksDataset(path=str(tmp_path / "tracks"))
    dataset.save(tracking(("test/a", table(5))))
    path = tmp_path / "tracks" / "test" / "a.parquet"
    pq.write_table(pa.table({"t": [1]}), path)

    with pytest.raises(StoreError, match=r"a\.parquet is missing or damaged"):
        TrackStore(tmp_path / "tracks")["test/a"]
