"""Exports that are killed, at any moment."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.export.conftest import MakeExport, Write, contents

from etram_pipeline.core.errors import BusyError
from etram_pipeline.export.dataset import Export
from etram_pipeline.export.layout import read_summary

SLOWLY = """
import sys, time
from pathlib import Path
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.export import png
from etram_pipeline.export.dataset import Export, write_dataset
from etram_pipeline.export.settings import ExportSettings
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore

encode = png.encode_png

def encode_slowly(picture):
    time.sleep(0.05)
    return encode(picture)

png.encode_png = encode_slowly
stores, root, dataset, settings = sys.argv[1:]
write_dataset(
    Path(root),
    Export(
        RepresentationStore(Path(stores)),
        LabelStore(Path(stores)),
        DatasetSettings.model_validate_json(dataset),
        ExportSettings.model_validate_json(settings),
    ),
    InlineExecutor(),
)
"""


def published(root: Path) -> list[str]:
    """Files that say what a dataset holds."""
    patterns = ("*.yaml", "*.txt", "annotations/*", ".export/dataset.json")
    return sorted(path.name for pattern in patterns for path in root.glob(pattern))


def start(root: Path, export: Export) -> subprocess.Popen[bytes]:
    """Export in a process of its own, at least 50 ms for each picture."""
    texts = [
        str(export.representations.root),
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


@pytest.mark.parametrize("folder", ["", "images/val", "labels/val", "annotations", ".export"])
def test_what_a_killed_export_left_unfinished_is_removed(
    root: Path, street: MakeExport, write: Write, folder: str
) -> None:
    write(street())
    unfinished = root / folder / ".c_0000300000.png.0f3a.partial"
    unfinished.write_bytes(b"half")
    write(street())
    assert not unfinished.exists()


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
    with pytest.raises(BusyError, match="another run"):
        write(street())
    assert first.wait() == 0
    write(street())
