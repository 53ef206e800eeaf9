"""The exported dataset as Kedro sees it."""

import shutil
from pathlib import Path

import pytest
from kedro.io import DatasetError
from tests.conftest import OpenSession
from tests.export.conftest import (
    AddRecording,
    MakeExport,
    add_recording,
    make_export,
    random_boxes,
    stores,
)

from etram_pipeline.datasets.export import ExportDataset
from etram_pipeline.export.layout import read_summary

__all__ = ["add_recording", "make_export", "stores"]


@pytest.fixture
def dataset(tmp_path: Path) -> ExportDataset:
    return ExportDataset(path=str(tmp_path / "exported"), executor={"kind": "inline"})


@pytest.fixture
def saved(
    dataset: ExportDataset, add_recording: AddRecording, make_export: MakeExport
) -> ExportDataset:
    add_recording("train/a", random_boxes(6, 0))
    add_recording("val/b", [(100_000, 2, 4, 8, 6, 1)], num_windows=2)
    dataset.save(make_export())
    return dataset


def test_loading_gives_the_folder_once_it_is_whole(saved: ExportDataset, tmp_path: Path) -> None:
    assert saved.exists()
    assert saved.load() == tmp_path / "exported"
    (tmp_path / "exported/.export/dataset.json").unlink()
    assert not saved.exists()
    with pytest.raises(DatasetError, match="is not complete: run `kedro run --pipelines export`"):
        saved.load()


def test_numbers_tell_what_is_in_each_split(saved: ExportDataset, make_export: MakeExport) -> None:
    numbers = saved.numbers(make_export())
    assert numbers["export/train/pictures"] == 6
    assert numbers["export/val/recordings"] == numbers["export/val/boxes"] == 1


def test_the_preview_is_a_row_for_each_split(saved: ExportDataset) -> None:
    preview = saved.preview()
    columns = ["split", "recordings", "pictures", "boxes", "car", "tram", "bus"]
    assert preview["columns"] == columns
    assert preview["data"][1] == ["val", 1, 1, 1, 0, 1, 0]


def test_the_pipeline_exports_what_preprocess_stored(
    project: Path, session: OpenSession, add_recording: AddRecording, stores: Path
) -> None:
    add_recording("train/a", random_boxes(6, 0))
    for place in ("02_intermediate/histograms", "03_primary/labelled_frames"):
        shutil.copytree(stores, project / "data" / place)

    size = {"height": 32, "width": 48}
    with session(mlflow=False, export={"every": 2}, dataset=size) as active:
        active.run(pipeline_names=["export"])

    summary = read_summary(project / "data/05_model_input/exported")
    assert summary is not None
    assert summary.splits["train"].pictures == 3
    assert list(summary.splits["train"].boxes_of_class)[:2] == ["pedestrian", "car"]
