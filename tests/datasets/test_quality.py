"""The catalog's view of the quality report."""

from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.defects import paths, sound, write_files

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.datasets.quality import NumbersDataset, QualityDataset
from etram_pipeline.quality.job import quality_jobs
from etram_pipeline.quality.settings import QualitySettings

DATASET = DatasetSettings(height=96, width=128, class_names=("car",))


def test_saving_checks_recordings_and_loading_gives_what_was_found(tmp_path: Path) -> None:
    write_files(tmp_path / "data", "train/a", sound())
    spoilt = sound()
    spoilt.cut_at = 3000
    write_files(tmp_path / "data", "train/b", spoilt)
    dataset = QualityDataset(path=str(tmp_path / "quality"), executor={"kind": "inline"})
    assert not dataset.exists()
    dataset.save(quality_jobs(*paths(tmp_path / "data"), DATASET, QualitySettings()))
    assert list(dataset.load()) == ["train/a"]
    assert list(dataset.load().failed) == ["train/b"]
    assert dataset.preview()["data"] == [["train/a", 60_000, 238]]


def test_loading_what_was_never_saved_says_what_to_run(tmp_path: Path) -> None:
    dataset = QualityDataset(path=str(tmp_path / "quality"), executor={"kind": "inline"})
    with pytest.raises(DatasetError, match="kedro run --pipelines preprocess"):
        dataset.load()


def test_numbers_are_kept_and_logged_as_they_are(tmp_path: Path) -> None:
    dataset = NumbersDataset(filepath=str(tmp_path / "new/quality.json"))
    assert not dataset.exists()
    numbers = {"quality/problems": 2.0, "quality/train/seconds": 3.5}
    dataset.save(numbers)
    assert dataset.load() == numbers
    assert dataset.numbers(numbers) == numbers
    assert "quality/train/seconds" in dataset.preview()
