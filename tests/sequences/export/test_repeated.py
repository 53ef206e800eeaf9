"""Exports that are repeated, changed, killed, and meet files of others."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path

import numpy as np
import pytest
from tests.sequences.export.conftest import AddRecording, MakeExport, random_boxes

from etram_pipeline.core.errors import StoreError
from etram_pipeline.sequences.executors import ExecutorConfig, InlineExecutor, open_executor
from etram_pipeline.sequences.export.dataset import Export, write_dataset
from etram_pipeline.sequences.export.layout import read_summary
from etram_pipeline.sequences.layout import IMAGES_FILES, LABELS, LABELS_FILE, TIMES_FILE

Write = Callable[..., None]
SLOWLY = """
import sys, time
from pathlib import Path
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.sequences.executors import InlineExecutor
from etram_pipeline.sequences.export import png
from etram_pipeline.sequences.export.dataset import Export, write_dataset
from etram_pipeline.sequences.export.settings import ExportSettings
from etram_pipeline.sequences.store import FrameStore, LabelStore

encode = png.encode_png

def encode_slowly(picture):
    time.sleep(0.05)
    return encode(picture)

png.encode_png = encode_slowly
stores, root, dataset, settings = sys.argv[1:]
write_dataset(
    Path(root),
    Export(
        FrameStore(Path(stores)),
        LabelStore(Path(stores)),
        DatasetSettings.model_validate_json(dataset),
        ExportSettings.model_validate_json(settings),
    ),
    InlineExecutor(),
)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "exported"


@pytest.fixture
def write(root: Path) -> Write:
    """Exports in this process, by default to the same place."""

    def write_here(export: Export, where: Path = root, executor: Executor | None = None) -> None:
        write_dataset(where, export, executor or InlineExecutor())

    return write_here


def contents(root: Path) -> dict[str, bytes]:
    """Every file of a dataset but the build's own, which tell times and places."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and not path.name.endswith((".lock", ".index.json"))
    }


def published(root: Path) -> list[str]:
    """Files that say what a dataset holds."""
    patterns = ("*.yaml", "*.txt", "annotations/*", ".export/dataset.json")
    return sorted(path.name for pattern in patterns for path in root.glob(pattern))


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
    with pytest.raises(StoreError, match=r"1 recordings could not be exported; .* other 3(.|\n)*a"):
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


def test_a_folder_of_someone_else_is_left_alone(
    root: Path, street: MakeExport, write: Write
) -> None:
    root.mkdir()
    (root / "data.yaml").write_text("mine")
    with pytest.raises(StoreError, match=r"holds data.yaml, and nothing was exported there befor"):
        write(street())
    assert [path.name for path in root.iterdir()] == ["data.yaml"]


def test_a_picture_of_someone_else_is_not_replaced(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street(every=6))
    theirs = root / "images/val/c_0000300000.png"
    theirs.write_text("mine")
    with pytest.raises(StoreError, match=r"c_0000300000.png is there already and was not export"):
        write(street())
    assert theirs.read_text() == "mine"
    assert "/c_" not in "".join(path.read_text() for path in root.glob("*.txt"))


def test_processes_write_the_same_files(
    root: Path, street: MakeExport, write: Write, tmp_path: Path
) -> None:
    write(street())
    config = ExecutorConfig.model_validate({"kind": "processes", "workers": 2})
    with open_executor(config) as executor:
        write(street(), tmp_path / "other", executor)
    assert contents(tmp_path / "other") == contents(root)


def start(root: Path, export: Export) -> subprocess.Popen[bytes]:
    """Export in a process of its own, at least 50 ms for each picture."""
    texts = [
        str(export.frames.root),
        str(root),
        export.dataset.model_dump_json(),
        export.settings.model_dump_json(serialize_as_any=True),
    ]
    path = os.pathsep.join(sys.path)
    return subprocess.Popen(
        [sys.executable, "-c", SLOWLY, *texts], env={**os.environ, "PYTHONPATH": path}
    )


def kill_at(root: Path, export: Export, has_come_so_far: Callable[[], bool]) -> None:
    """Start an export, and kill it when the condition holds."""
    process = start(root, export)
    deadline = time.monotonic() + 60
    while not has_come_so_far():
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.002)
    process.kill()
    process.wait()


def num_pictures(root: Path) -> int:
    return len(list(root.glob("images/*/[a-z]*.png")))


@pytest.mark.parametrize("wanted", [1, 8, 19])
def test_an_export_killed_at_any_moment_is_continued(
    root: Path, street: MakeExport, write: Write, tmp_path: Path, wanted: int
) -> None:
    kill_at(root, street(), lambda: num_pictures(root) >= wanted)
    assert num_pictures(root) < 24
    assert published(root) == []
    assert read_summary(root) is None

    write(street())
    write(street(), tmp_path / "undisturbed")

    assert contents(root) == contents(tmp_path / "undisturbed")


def test_going_back_after_a_killed_change_brings_all_pictures_back(
    root: Path, street: MakeExport, write: Write
) -> None:
    write(street())
    before = contents(root)
    brighter = street(picture={"kind": "polarity", "saturation": 2})
    picture = root / "images/test/d_0000300000.png"
    time_ns = picture.stat().st_mtime_ns
    kill_at(root, brighter, lambda: picture.stat().st_mtime_ns != time_ns)
    assert published(root) == []

    write(street())

    assert contents(root) == before


def test_two_exports_to_one_folder_are_kept_apart(
    root: Path, street: MakeExport, write: Write
) -> None:
    first = start(root, street())
    deadline = time.monotonic() + 60
    while not num_pictures(root):
        assert time.monotonic() < deadline
        time.sleep(0.002)
    with pytest.raises(StoreError, match="another run"):
        write(street())
    assert first.wait() == 0
    write(street())
