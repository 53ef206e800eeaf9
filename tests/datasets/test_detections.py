import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from kedro.io import DatasetError

from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.operating_scores import OperatingScores
from etram_pipeline.datasets.detection_store import DetectionStore
from etram_pipeline.datasets.detections import DetectionsDataset, Prediction
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable

SCORES = OperatingScores(
    protocol="coco", choices="0123", ranking="joint", common=0.1 + 0.2, per_class={"car": 1 / 3}
)


def table(rows: int) -> DetectionTable:
    made = np.zeros(rows, DETECTION_DTYPE)
    made["t"] = np.arange(rows) * 50_000
    made["score"] = np.linspace(0.1, 0.9, rows)
    return made


def predicted(tables: Iterable[tuple[str, DetectionTable]]) -> Prediction:
    return Prediction(tables, ("car", "tram"), "run7", SCORES, score_threshold=0.01)


def loaded(dataset: DetectionsDataset) -> DetectionStore:
    """What a dataset loads from a folder of this project."""
    store = dataset.load()
    assert isinstance(store, DetectionStore)
    return store


def test_tables_come_back_as_they_were_saved(tmp_path: Path) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5)), ("test/b", table(0))]))
    store = loaded(dataset)
    assert store.training_run_id == "run7"
    assert store.class_names == ("car", "tram")
    assert (store.operating_scores, store.score_threshold) == (SCORES, 0.01)
    assert store.counts == {"test/a": 5, "test/b": 0}
    np.testing.assert_array_equal(store["test/a"], table(5))
    assert len(store["test/b"]) == 0


def test_an_interrupted_prediction_leaves_the_last_one_as_it_was(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[str, DetectionTable]]:
        yield "test/a", table(2)
        raise KeyboardInterrupt

    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5))]))
    with pytest.raises(KeyboardInterrupt):
        dataset.save(predicted(interrupted()))
    assert loaded(dataset).counts == {"test/a": 5}


def test_an_interrupted_first_prediction_is_not_taken_for_whole(tmp_path: Path) -> None:
    def interrupted() -> Iterator[tuple[str, DetectionTable]]:
        yield "test/a", table(2)
        raise KeyboardInterrupt

    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    with pytest.raises(KeyboardInterrupt):
        dataset.save(predicted(interrupted()))
    with pytest.raises(DatasetError, match="run `kedro run --pipelines predict`"):
        dataset.load()


class PowerCutError(BaseException):
    """Not even an exception handler runs after it."""


@pytest.mark.parametrize("num_renamed", [0, 1, 2])
def test_being_killed_while_one_folder_replaces_another_loses_neither(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_renamed: int
) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5))]))
    real = Path.rename
    renamed: list[Path] = []

    def rename(path: Path, target: Path) -> Path:
        if len(renamed) == num_renamed:
            raise PowerCutError
        renamed.append(path)
        return real(path, target)

    def leave(*_: object, **__: object) -> None:
        raise PowerCutError

    with monkeypatch.context() as patched:
        patched.setattr(Path, "rename", rename)
        patched.setattr(shutil, "rmtree", leave)
        with pytest.raises(PowerCutError):
            dataset.save(predicted([("test/a", table(7))]))
    assert dataset.exists()
    assert loaded(dataset).counts == {"test/a": 7 if num_renamed == 2 else 5}
    np.testing.assert_array_equal(loaded(dataset)["test/a"], table(7 if num_renamed == 2 else 5))
    dataset.save(predicted([("test/a", table(9))]))
    assert loaded(dataset).counts == {"test/a": 9}
    assert [path.name for path in tmp_path.iterdir()] == ["detections"]


def test_detections_left_aside_by_a_former_version_are_found(tmp_path: Path) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5))]))
    (tmp_path / "detections").rename(tmp_path / "detections.old")
    assert loaded(dataset).counts == {"test/a": 5}
    dataset.save(predicted([("test/a", table(2))]))
    assert [path.name for path in tmp_path.iterdir()] == ["detections"]


def test_two_that_save_at_once_both_do_and_one_stays(tmp_path: Path) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))

    def late() -> Iterator[tuple[str, DetectionTable]]:
        yield "test/a", table(3)
        dataset.save(predicted([("test/a", table(1)), ("test/b", table(1))]))
        yield "test/b", table(3)

    dataset.save(predicted(late()))
    assert loaded(dataset).counts == {"test/a": 3, "test/b": 3}
    assert [path.name for path in tmp_path.iterdir()] == ["detections"]


def test_recordings_of_an_earlier_prediction_are_not_listed(tmp_path: Path) -> None:
    dataset = DetectionsDataset(path=str(tmp_path / "detections"))
    dataset.save(predicted([("test/a", table(5)), ("test/b", table(1))]))
    dataset.save(predicted([("test/b", table(2))]))
    assert list(loaded(dataset)) == ["test/b"]


def test_a_file_that_lacks_a_column_is_told_from_a_missing_one(tmp_path: Path) -> None:
    path = tmp_path / "detections"
    dataset = DetectionsDataset(path=str(path))
    dataset.save(predicted([("test/a", table(5))]))
    columns = pq.read_table(path / "test/a.parquet")
    pq.write_table(columns.drop_columns(["track_id"]), path / "test/a.parquet")
    store = DetectionStore(path)
    assert "test/a" in store
    with pytest.raises(LabelError, match=r"a\.parquet has columns .* but lacks \['track_id'\]"):
        store["test/a"]
