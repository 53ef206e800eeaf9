"""Detections of other programs in the catalog."""

import json
from pathlib import Path

import numpy as np
import pytest
from kedro.io import DatasetError

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable

DATASET = DatasetSettings(height=96, width=128, class_names=("car",))
SCORES = OperatingScores(
    protocol="coco", choices="0123", ranking="joint", common=0.3, per_class={"car": 0.25}
)


def table(num: int) -> DetectionTable:
    made = np.zeros(num, DETECTION_DTYPE)
    made["w"] = made["h"] = 20
    made["x"] = np.arange(num)
    made["score"] = made["class_score"] = np.linspace(0.1, 0.9, num)
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with one table."""
    (tmp_path / "other").mkdir()
    np.save(tmp_path / "other" / "c.npy", table(3))
    return tmp_path / "other"


def dataset_of(folder: Path) -> DetectionsDataset:
    return DetectionsDataset(path=str(folder.parent / "own"), read_from={"path": str(folder)})


def test_nothing_of_other_programs_is_ever_written(folder: Path) -> None:
    dataset = dataset_of(folder)
    before = (folder / "c.npy").read_bytes()
    with pytest.raises(DatasetError, match="is only read; drop `detections`"):
        dataset.save(Prediction([("val/c", table(1))], ("car",)))
    dataset.load().of(("val/c",), DATASET)
    assert [path.name for path in folder.parent.rglob("*")] == ["other", "c.npy"]
    assert (folder / "c.npy").read_bytes() == before


def test_their_content_and_origin_are_known_but_no_training(folder: Path) -> None:
    found = dataset_of(folder).load()
    assert found.origin is not None
    store = found.of(("val/c",), DATASET)
    assert (store.training_run_id, store.operating_scores, store.has_masks) == ("", None, False)
    assert store.origin == found.origin
    assert str(found.origin) == f"{folder} ({found.origin.content})"
    before = fingerprint(found)
    assert fingerprint(dataset_of(folder).load()) == before
    np.save(folder / "c.npy", table(4))
    assert fingerprint(dataset_of(folder).load()) != before


def test_files_are_read_once_in_a_run(folder: Path) -> None:
    dataset = dataset_of(folder)
    store = dataset.load().of(("val/c",), DATASET)
    assert dataset.load().of(["val/c"], DATASET) is store
    assert dataset.load().of(["val/c", "val/d"], DATASET) is not store


def test_the_folder_of_another_run_keeps_what_is_known_of_its_training(tmp_path: Path) -> None:
    prediction = Prediction([("val/c", table(2))], ("car",), "run7", SCORES, score_threshold=0.1)
    DetectionsDataset(path=str(tmp_path / "other")).save(prediction)
    found = dataset_of(tmp_path / "other").load()
    store = found.of(("val/c",), DATASET)
    assert found is store
    assert (store.training_run_id, store.operating_scores) == ("run7", SCORES)
    assert store.origin is not None
    assert store.with_masks().origin == store.origin
    assert (store["val/c"] == table(2)).all()


@pytest.mark.parametrize(
    "change",
    [
        *({"recordings": ["val/c"]}, {"recordings": 3}, {"class_names": 5}),
        *({"score_threshold": "low"}, {"operating_scores": {"all": 0.5}}),
    ],
)
def test_a_damaged_index_is_named(tmp_path: Path, change: dict[str, object]) -> None:
    prediction = Prediction([("val/c", table(2))], ("car",), "run7", SCORES, score_threshold=0.1)
    DetectionsDataset(path=str(tmp_path / "other")).save(prediction)
    index = tmp_path / "other" / "index.json"
    index.write_text(json.dumps(json.loads(index.read_text()) | change))
    with pytest.raises(DatasetError, match=r"index\.json is damaged: give the complete folder of"):
        dataset_of(tmp_path / "other").load()
