import errno
import os
from pathlib import Path

import pytest
from kedro.io import DatasetError

from etram_pipeline.datasets.recordings import LabelFilesDataset, RecordingsDataset


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_recordings_of_every_split_and_suffix_are_found_at_any_depth(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "train/a_td.h5",
        "train/a_bbox.npy",
        "val/site/b.raw",
        "test/c_td.dat.h5",
        "test/.d_td.h5.7.partial",
        "notes.h5",
    )
    assert RecordingsDataset(path=str(tmp_path)).load() == {
        "train/a": tmp_path / "train/a_td.h5",
        "val/b": tmp_path / "val/site/b.raw",
        "test/c": tmp_path / "test/c_td.dat.h5",
    }


def test_labels_have_the_keys_of_their_recordings(tmp_path: Path) -> None:
    touch(tmp_path, "train/a_td.h5", "train/a_bbox.npy", "val/b.raw")
    labels = LabelFilesDataset(path=str(tmp_path)).load()
    assert labels == {"train/a": tmp_path / "train/a_bbox.npy"}


def test_a_single_file_counts_as_test_recording(tmp_path: Path) -> None:
    path = touch(tmp_path, "street.raw") / "street.raw"
    assert RecordingsDataset(path=str(path)).load() == {"test/street": path}
    assert LabelFilesDataset(path=str(path)).load() == {}


def test_an_empty_folder_says_where_recordings_belong(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match=r"no recordings in .*put event files"):
        RecordingsDataset(path=str(tmp_path)).load()


def test_recordings_beside_the_splits_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "b.raw", "a.aedat4", "notes.txt")
    with pytest.raises(DatasetError, match=r"a\.aedat4 and the like lie outside these folders"):
        RecordingsDataset(path=str(tmp_path)).load()


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", os.fsdecode(b"a\xff"), ""])
def test_a_name_that_no_list_could_hold_is_refused(name: str, tmp_path: Path) -> None:
    touch(tmp_path, f"train/{name}_td.h5", f"train/{name}_bbox.npy")
    for dataset in (RecordingsDataset, LabelFilesDataset):
        with pytest.raises(DatasetError, match=r"cannot be the name of a recording.* rename"):
            dataset(path=str(tmp_path)).load()


def test_any_other_name_is_as_good(tmp_path: Path) -> None:
    names = ["a b: #", "ünï☃", "<b>", "*?[", "-x", "back\\slash", "it's"]
    touch(tmp_path, *(f"val/{name}_td.h5" for name in names))
    assert set(RecordingsDataset(path=str(tmp_path)).load()) == {f"val/{name}" for name in names}


def test_a_folder_that_is_named_like_a_recording_is_none(tmp_path: Path) -> None:
    touch(tmp_path, "train/old.raw/a.raw")
    assert RecordingsDataset(path=str(tmp_path)).load() == {
        "train/a": tmp_path / "train/old.raw/a.raw"
    }


def test_a_folder_that_cannot_be_read_is_no_empty_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "train/a.raw", "train/locked/b.raw")
    scandir = os.scandir

    def scan(path: str) -> object:
        if os.fspath(path).endswith("locked"):
            raise PermissionError(errno.EACCES, "Permission denied", path)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", scan)  # a mode would not keep the superuser out
    with pytest.raises(DatasetError, match=r"train/locked cannot be read \(Permission denied\)"):
        RecordingsDataset(path=str(tmp_path)).load()


def test_two_files_of_one_recording_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "train/a_td.h5", "train/a.raw")
    with pytest.raises(DatasetError, match=r"would both be recording train/a: rename"):
        RecordingsDataset(path=str(tmp_path)).load()


def test_raw_data_is_never_written(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="never written"):
        RecordingsDataset(path=str(tmp_path)).save({})


@pytest.mark.parametrize("dataset", [RecordingsDataset, LabelFilesDataset])
def test_a_path_that_does_not_exist_is_named(tmp_path: Path, dataset: type) -> None:
    with pytest.raises(DatasetError, match=r"nothere\.raw.* does not exist"):
        dataset(path=str(tmp_path / "nothere.raw")).load()
