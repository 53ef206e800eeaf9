"""Results that were damaged from outside: one line says which file, and what makes it again."""

import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kedro.io import AbstractDataset, DatasetError

from etram_pipeline.core.errors import StoreError
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.datasets.history import HistoryDataset
from etram_pipeline.datasets.metrics import MetricsDataset
from etram_pipeline.datasets.tables import TableDataset
from etram_pipeline.labels.detection_files.tables import INDEX
from etram_pipeline.labels.detections import DETECTION_DTYPE
from etram_pipeline.session import explain

DAMAGED = [b"", b"{", b"[1]", b'{"a": 1}', b"\xff\xfe\x00", os.urandom(300)]


@pytest.fixture
def detections(tmp_path: Path) -> DetectionsDataset:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(Prediction([("test/a", np.zeros(3, DETECTION_DTYPE))], ("car",)))
    return dataset


def told(path: Path, dataset: AbstractDataset[Any, Any]) -> str:
    with pytest.raises((DatasetError, StoreError)) as caught:
        dataset.load()
    message = explain(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize("content", DAMAGED)
def test_damaged_metrics_are_told(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "metrics.json"
    path.write_bytes(content)
    assert "run `kedro run --pipelines evaluate`" in told(path, MetricsDataset(filepath=str(path)))


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_list_of_detections_is_told(
    tmp_path: Path, detections: DetectionsDataset, content: bytes
) -> None:
    path = tmp_path / "detections" / INDEX
    path.write_bytes(content)
    assert "run `kedro run --pipelines predict`" in told(path, detections)


@pytest.mark.parametrize("content", [None, *DAMAGED])
@pytest.mark.usefixtures("detections")
def test_damaged_or_missing_detections_of_a_recording_are_told(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "detections" / "test" / "a.parquet"
    path.unlink()
    if content is not None:
        path.write_bytes(content)
    store = DetectionStore(tmp_path / "detections")
    with pytest.raises(StoreError, match=r"a\.parquet is missing or damaged: run `kedro run --pip"):
        store["test/a"]


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b'a,b\n"1,2\n', b"a\n1,2\n1,2,3,4\n"])
@pytest.mark.parametrize("kind", [TableDataset, HistoryDataset])
def test_damaged_tables_are_told(
    tmp_path: Path, content: bytes, kind: type[TableDataset] | type[HistoryDataset]
) -> None:
    path = tmp_path / "table.csv"
    path.write_bytes(content)
    assert "table.csv is damaged: delete it" in told(path, kind(filepath=str(path)))
