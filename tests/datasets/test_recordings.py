import errno
import os
from pathlib import Path
from tempfile import TemporaryDirectory

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kedro.io import DatasetError

from etram_pipeline.datasets.recordings import (
    RECORDING_SUFFIXES,
    LabelFilesDataset,
    RecordingsDataset,
    recording_name,
)

CAMERA_SUFFIXES = (".h5", ".hdf5", ".raw", ".dat", ".aedat4")
PARTS = st.sampled_from(
    [
        "2024.05.01",
        "_cam1",
        "a",
        " ",
        "é",
        "☃",
        "[x]",
        "*",
        "%20",
        "-",
        ".raw",
        ".h5",
        "_td",
        "_bbox",
    ]
)
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("".join).filter(lambda name: name[0] != ".")


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
    with pytest.raises(DatasetError, match=r"a\.aedat4 is outside these folders"):
        RecordingsDataset(path=str(tmp_path)).load()


@pytest.mark.parametrize("name", ["a\nb", "a\u2028b", os.fsdecode(b"a\xff"), ""])
def test_a_name_that_no_list_could_hold_is_refused(name: str, tmp_path: Path) -> None:
    touch(tmp_path, f"train/{name}_td.h5", f"train/{name}_bbox.npy")
    for dataset in (RecordingsDataset, LabelFilesDataset):
        with pytest.raises(DatasetError, match=r"is no valid name of a recording.* rename"):
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


@pytest.mark.timeout(20)
@pytest.mark.parametrize("name", ["a.npy", "a.csv", "a.tar", "a_bbox.npy", "a.raw"])
def test_a_pipe_is_not_waited_for(tmp_path: Path, name: str) -> None:
    (tmp_path / "train").mkdir()
    os.mkfifo(tmp_path / "train" / name)
    with pytest.raises(DatasetError):
        RecordingsDataset(path=str(tmp_path)).load()


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


def test_dots_belong_to_the_name(tmp_path: Path) -> None:
    touch(tmp_path, "test/2024.05.01_cam1.raw", "test/2024.05.01_cam1_bbox.npy")
    touch(tmp_path, "test/2024.05.02_cam1.raw")

    assert set(RecordingsDataset(path=str(tmp_path)).load()) == {
        "test/2024.05.01_cam1",
        "test/2024.05.02_cam1",
    }
    assert LabelFilesDataset(path=str(tmp_path)).load() == {
        "test/2024.05.01_cam1": tmp_path / "test/2024.05.01_cam1_bbox.npy"
    }
    single = LabelFilesDataset(path=str(tmp_path / "test/2024.05.01_cam1.raw")).load()
    assert list(single) == ["test/2024.05.01_cam1"]


@pytest.mark.parametrize(
    ("file_name", "name"),
    [
        ("a.raw.raw", "a.raw"),
        ("a.RAW", "a"),
        ("a_td.H5", "a"),
        ("a_td_td.h5", "a_td"),
        ("a_td.dat.h5", "a"),
        ("a.b", "a.b"),
        ("a", "a"),
        ("a_bbox.npy", "a"),
        ("a.npz", "a"),
        ("a.csv.txt", "a.csv"),
        ("-a.b-.dat", "-a.b-"),
        ("a_bbox.h5", "a_bbox"),
    ],
)
def test_only_the_known_ending_is_removed(file_name: str, name: str) -> None:
    assert recording_name(Path(file_name)) == name


@settings(deadline=None, max_examples=50)
@given(
    name=NAMES.filter(lambda name: not name.endswith("_td")),
    ending=st.sampled_from([f"{td}{s}" for s in CAMERA_SUFFIXES for td in ("", "_td")]),
    is_large=st.booleans(),
)
def test_any_name_is_kept_and_has_its_labels(name: str, ending: str, *, is_large: bool) -> None:
    file_name = f"{name}{ending.upper() if is_large else ending}"
    with TemporaryDirectory() as folder:
        touch(Path(folder), f"val/{file_name}", f"val/{name}_bbox.npy")

        recordings = RecordingsDataset(path=folder).load()
        labels = LabelFilesDataset(path=folder).load()

        assert recordings == {f"val/{name}": Path(folder, "val", file_name)}
        assert set(labels) == set(recordings)


def test_arrays_and_texts_are_recordings_if_they_hold_events(tmp_path: Path) -> None:
    folder = touch(tmp_path, "train/README.txt", "train/.notes.csv") / "train"
    rows = np.zeros(3, [("t", "i8"), ("x", "u2"), ("y", "u2"), ("p", "i2")])
    np.save(folder / "a.npy", rows)
    np.save(folder / "a_bbox.npy", np.zeros(3, [("t", "i8"), ("x", "f4"), ("w", "f4")]))
    np.save(folder / "calibration.npy", np.eye(3))
    np.savez(folder / "b.npz", t=rows["t"], x=rows["x"], y=rows["y"], p=rows["p"])
    (folder / "c.csv").write_text("t_us,x,y,p\n1,2,3,0\n")
    with h5py.File(folder / "e.hdf", "w") as file:
        file.create_group("events")
    (folder / "hdf4.hdf").write_bytes(b"\x0e\x03\x13\x01" + bytes(60))
    (folder / "d.txt").write_text("1 2 3 0\n")  # its reader asks for the unit
    (folder / "yolo.txt").write_text("0 0.5 0.5 0.1 0.1\n")

    found = RecordingsDataset(path=str(tmp_path)).load()

    assert set(found) == {"train/a", "train/b", "train/c", "train/d", "train/e"}
    assert set(LabelFilesDataset(path=str(tmp_path)).load()) == {"train/a"}
    assert {path.suffix for path in found.values()} <= set(RECORDING_SUFFIXES)


@pytest.mark.parametrize(
    ("name", "beginning", "told"),
    [
        ("a.bag", b"#ROSBAG V2.0\n", "a ROS 1 bag; convert it"),
        ("a.MCAP", b"\x89MCAP0\r\n", "an MCAP file"),
        ("a.tar", bytes(257) + b"ustar", "a TAR archive; unpack it"),
        ("a.parquet", b"PAR1", "a Parquet table; convert it"),
        ("a.raw.zst", b"\x28\xb5\x2f\xfd", "compressed by zstd; unpack it"),
    ],
)
def test_a_recording_that_is_left_out_for_its_format_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, beginning: bytes, told: str
) -> None:
    touch(tmp_path, "test/cam.h5")
    (tmp_path / "test" / name).write_bytes(beginning + bytes(100))

    assert set(RecordingsDataset(path=str(tmp_path)).load()) == {"test/cam"}
    assert f"{name} was skipped: this is {told}" in caplog.text


def test_links_to_folders_and_files_are_followed_once(tmp_path: Path) -> None:
    disk = touch(tmp_path / "disk", "a.raw", "a_bbox.npy", "deep/b.raw")
    data = touch(tmp_path / "data", "train/own.raw")
    (disk / "deep/loop").symlink_to(disk)
    for name in ("day", "again"):
        (data / "train" / name).symlink_to(disk)
    (data / "train/self").symlink_to(data / "train")
    (data / "train/deeper").mkdir()
    (data / "train/deeper/own.raw").symlink_to(data / "train/own.raw")
    (data / "val").symlink_to(disk)

    keys = set(RecordingsDataset(path=str(data)).load())

    assert keys == {"train/own", "train/a", "train/b", "val/a", "val/b"}
    assert set(LabelFilesDataset(path=str(data)).load()) == {"train/a", "val/a"}


@pytest.mark.parametrize("dataset", [RecordingsDataset, LabelFilesDataset])
@pytest.mark.parametrize("target", ["missing", "link"])
@pytest.mark.parametrize("name", ["train/link", "train"])
def test_a_link_that_leads_nowhere_is_named(
    name: str, target: str, dataset: type, tmp_path: Path
) -> None:
    touch(tmp_path, "val/a.raw", "val/a_bbox.npy")
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).symlink_to(target if name != "train" else "nowhere")

    with pytest.raises(DatasetError, match=rf"the link .*{name} leads to .*mount the disk"):
        dataset(path=str(tmp_path)).load()


def test_two_recordings_of_one_name_in_linked_folders_are_refused(tmp_path: Path) -> None:
    touch(tmp_path, "disk/a.raw", "data/train/a.raw")
    (tmp_path / "data/train/day").symlink_to(tmp_path / "disk")

    with pytest.raises(DatasetError, match=r"would both be recording train/a: rename"):
        RecordingsDataset(path=str(tmp_path / "data")).load()


@pytest.mark.parametrize(
    ("name", "description"), [("..raw", "consists of dots"), ("a" * 210 + ".raw", "of 210 bytes")]
)
def test_a_name_that_no_folder_could_have_is_refused(
    name: str, description: str, tmp_path: Path
) -> None:
    touch(tmp_path, name)

    with pytest.raises(DatasetError, match=description):
        RecordingsDataset(path=str(tmp_path / name)).load()
