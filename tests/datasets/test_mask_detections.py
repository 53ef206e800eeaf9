"""Masks of detections in parquet files."""

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from pycocotools.mask import decode
from tests.datasets.test_detections import loaded, predicted, table

from etram_pipeline.core.mask_column import has_masks, with_masks
from etram_pipeline.core.run_lengths import encode_masks
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.datasets.detections import DetectionsDataset
from etram_pipeline.labels.detections import DETECTION_DTYPE

MASKS = np.random.default_rng(0).random((5, 9, 12)) < 0.4


def saved(folder: Path) -> DetectionStore:
    dataset = DetectionsDataset(path=str(folder / "detections"))
    masked = with_masks(table(5), encode_masks(MASKS))
    dataset.save(predicted([("test/a", masked), ("test/b", table(0))]))
    return loaded(dataset)


def test_masks_come_back_where_they_are_wanted(tmp_path: Path) -> None:
    store = saved(tmp_path)
    assert store.has_masks
    assert not has_masks(store["test/a"])
    np.testing.assert_array_equal(store["test/a"], table(5))
    found = store.with_masks()["test/a"]
    assert found["mask"].tolist() == encode_masks(MASKS)
    np.testing.assert_array_equal(found[list(DETECTION_DTYPE.names or ())], table(5))
    assert not has_masks(store.with_masks()["test/b"])


def test_pycocotools_reads_the_column(tmp_path: Path) -> None:
    saved(tmp_path)
    rows = pq.read_table(tmp_path / "detections/test/a.parquet")["mask"].to_pylist()
    np.testing.assert_array_equal(decode(rows).transpose(2, 0, 1), MASKS)


def test_detections_without_masks_are_stored_as_before(tmp_path: Path) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5))]))
    assert not loaded(dataset).has_masks
    assert not has_masks(loaded(dataset).with_masks()["test/a"])
    assert "masks" not in json.loads((tmp_path / "detections/index.json").read_text())
    names = pq.read_schema(tmp_path / "detections/test/a.parquet").names
    assert names == list(DETECTION_DTYPE.names or ())
