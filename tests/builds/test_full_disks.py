"""Builds on disks that are full, read-only or in the way."""

import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.builds.conftest import Start
from tests.builds.test_crashes import assert_continues
from tests.preprocessing.recordings import preprocess

from etram_pipeline.core.errors import StoreError


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Callable[[str], Path]]:
    """A disk of its own, which is mounted with the options asked for, and again with others."""
    folder = tmp_path / "disk"
    folder.mkdir()

    def mount(options: str) -> Path:
        again = "remount," if folder.is_mount() else ""
        command = ["mount", "-t", "tmpfs", "-o", again + options, "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(command, check=False).returncode:
            pytest.skip("mounting a disk is not allowed here")
        return folder

    yield mount
    if folder.is_mount():
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
def test_on_a_full_disk_it_says_so_and_goes_on_when_there_is_room(
    raw: Path, undisturbed: dict[str, bytes], disk: Callable[[str], Path]
) -> None:
    total_kb = sum(len(content) // 1024 + 4 for content in undisturbed.values())
    num_kept = []
    for size_kb in range(8, total_kb, total_kb // 12):
        folder = disk(f"size={size_kb}k")
        with pytest.raises(
            StoreError, match=rf"the disk of {folder}/store is full(.|\n)*make room"
        ):
            preprocess(raw, folder / "store")
        assert not list(folder.rglob("*.partial"))

        disk("size=100m")
        num_kept.append(assert_continues(raw, folder / "store", undisturbed))
        shutil.rmtree(folder / "store")
    assert {0, 1} <= set(num_kept)


def limited(size: int, raw: Path, store: Path) -> None:
    """Preprocess where no file may be larger than `size`, as on a full disk or beyond a quota."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
    preprocess(raw, store)


@pytest.mark.parametrize("size", [100, 3_000, 10_000])
def test_at_a_limit_it_names_the_disk_and_the_next_run_goes_on(
    raw: Path, undisturbed: dict[str, bytes], start: Start, tmp_path: Path, size: int
) -> None:
    _, told = start(limited, size, raw, tmp_path / "store")

    assert f"the disk of {tmp_path}/store is full" in told.recv()

    assert not list(tmp_path.rglob("*.partial"))
    assert_continues(raw, tmp_path / "store", undisturbed)


def test_a_disk_that_cannot_be_written_to_is_told_before_anything_is_computed(
    raw: Path, disk: Callable[[str], Path]
) -> None:
    folder = disk("size=100m,ro")

    with pytest.raises(StoreError, match=r"store cannot be written to \(.*Read-only.*make it writ"):
        preprocess(raw, folder / "store")


def test_a_file_where_the_store_should_be_is_told(raw: Path, tmp_path: Path) -> None:
    (tmp_path / "store").write_text("notes")

    with pytest.raises(StoreError, match="store cannot be written to"):
        preprocess(raw, tmp_path / "store")

    assert (tmp_path / "store").read_text() == "notes"
