"""Exports that are repeated and changed, and meet files of others."""

from pathlib import Path

import numpy as np
import pytest
from tests.export.conftest import (
    AddRecording,
    MakeExport,
    Write,
    contents,
    random_boxes,
)

from etram_pipeline.builds.executors import ExecutorConfig, open_executor
from etram_pipeline.core.errors import StoreError
from etram_pipeline.export.layout import ledger_path
from etram_pipeline.stores.layout import IMAGES_FILES, LABELS, LABELS_FILE, TIMES_FILE


def test_a_second_export_changes_nothing(root: Path, street: MakeExport, write: Write) -> None:
    write(street())
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*.*[a-z]") if path.is_file()}
    write(street())
    changed = {path for path, time_ns in before.items() if path.stat().st_mtime_ns != time_ns}
    assert {path.suffix for path in changed} <= {".lock"}


def test_an_order_to_export_less_removes_the_rest_and_keeps_files_of_others(
    root: Path, street: MakeExport, write: Write, tmp_path: Path
) -> None:
    write(street())
    own = [root / "images/train/mine.png", root / "labels/train/mine.txt", root / "notes.md"]
    for path in own:
        path.write_text("mine")

    write(street(every=2, splits=["train"]))

    for path in own:
        assert path.read_text() == "mine"
        path.unlink()
    write(street(every=2, splits=["train"]), tmp_path / "other")
    assert contents(root) == contents(tmp_path / "other")


def test_only_recordings_whose_boxes_changed_are_exported_again(
    root: Path, street: MakeExport, add_recording: AddRecording, write: Write
) -> None:
    write(street())
    cache = root / "labels/val.cache"
    cache.write_text("what YOLO has read")
    before = {path: path.stat().st_mtime_ns for path in (root / "images").rglob("*.png")}

    add_recording("val/c", random_boxes(6, seed=99))
    write(street())

    changed = [path for path, time_ns in before.items() if path.stat().st_mtime_ns != time_ns]
    assert len(changed) == 6
    assert {path.name[0] for path in changed} == {"c"}
    assert not cache.exists()


def test_another_name_of_a_class_draws_no_picture_again(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street())
    path = root / "images/train/a_0000100000.png"
    before = path.stat().st_mtime_ns
    renamed = street().dataset.model_copy(update={"class_names": ("van", "tram", "bus")})
    write(street(renamed))
    assert path.stat().st_mtime_ns == before
    assert '0: "van"' in (root / "data.yaml").read_text()


def test_a_recording_of_which_a_picture_is_gone_is_exported_again(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street())
    before = contents(root)
    (root / "images/val/c_0000300000.png").unlink()
    write(street())
    assert contents(root) == before


def test_a_bad_recording_does_not_stop_the_others(
    root: Path, street: MakeExport, stores: Path, write: Write
) -> None:
    labels = stores / "train/a" / LABELS
    times_us = np.load(labels / TIMES_FILE)
    export = street()
    np.save(labels / TIMES_FILE, times_us + 1)
    with pytest.raises(StoreError, match=r"1 of 4 recordings could not be exported(.|\n)*train/a"):
        write(export)
    assert {line[15] for line in (root / "train.txt").read_text().splitlines()} == {"b"}

    np.save(labels / TIMES_FILE, times_us)
    write(street())
    assert {line[15] for line in (root / "train.txt").read_text().splitlines()} == {"a", "b"}


@pytest.mark.parametrize("file", [LABELS_FILE, IMAGES_FILES[2]])
def test_a_failure_takes_no_earlier_pictures_away(
    root: Path, street: MakeExport, stores: Path, write: Write, file: str
) -> None:
    write(street())
    export = street()
    (path,) = (stores / "train/a").rglob(file)
    path.write_bytes(b"damaged")
    with pytest.raises(StoreError, match=rf"could not be exported(.|\n)*train/a: .*{file}"):
        write(export)
    assert len(list((root / "images/train").glob("a_*.png"))) == 6
    assert "/a_" not in (root / "train.txt").read_text()


def test_settings_that_fit_no_recording_leave_the_dataset_as_it_was(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street())
    before = contents(root)
    with pytest.raises(
        StoreError, match=r"4 of 4 recordings could not be (.|\n)*names the channels \[9\]"
    ):
        write(street(picture={"kind": "channels", "groups": [[9]]}))
    assert contents(root) == before


def test_a_folder_of_someone_else_is_left_alone(
    root: Path, street: MakeExport, write: Write
) -> None:
    root.mkdir()
    (root / "data.yaml").write_text("mine")
    with pytest.raises(StoreError, match=r"contains data.yaml, but no earlier export: choose"):
        write(street())
    assert [path.name for path in root.iterdir()] == ["data.yaml"]


def test_a_picture_of_someone_else_is_not_replaced(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street(every=6))
    theirs = root / "images/val/c_0000300000.png"
    theirs.write_text("mine")
    with pytest.raises(StoreError, match=r"c_0000300000.png already exists and was not export"):
        write(street())
    assert theirs.read_text() == "mine"
    assert "/c_" not in "".join(path.read_text() for path in root.glob("*.txt"))


def test_many_failures_are_cut_short(
    make_export: MakeExport, add_recording: AddRecording, stores: Path, write: Write
) -> None:
    for number in range(12):
        add_recording(f"train/{number:02}", random_boxes(1, number), num_windows=2)
    export = make_export()
    for path in stores.rglob(LABELS_FILE):
        path.write_bytes(b"damaged")
    with pytest.raises(
        StoreError, match=r"12 of 12 recordings could not be exp(.|\n)*and 2 more"
    ) as error:
        write(export)
    assert "train/09" in str(error.value)
    assert "train/10" not in str(error.value)


def test_notes_damaged_from_outside_are_named_or_written_anew(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street())
    before = contents(root)
    (root / ".export/dataset.json").write_bytes(b"\xff")
    write(street())
    assert contents(root) == before

    ledger = ledger_path(root, "val/c")
    ledger.write_bytes(b"{")
    with pytest.raises(StoreError, match=r"val/c/.*frames.json is damaged, .* delete the whole ex"):
        write(street())


def test_processes_write_the_same_files(
    root: Path, street: MakeExport, write: Write, tmp_path: Path
) -> None:
    write(street())
    config = ExecutorConfig.model_validate({"kind": "processes", "workers": 2})
    with open_executor(config) as executor:
        write(street(), tmp_path / "other", executor)
    assert contents(tmp_path / "other") == contents(root)
