"""Preprocessing that is killed, runs out of space, or meets what it cannot write to."""

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest
from tests.builds.conftest import Start, kill_group
from tests.preprocessing.recordings import KEYS, contents, preprocess

from etram_pipeline.builds.executors import kept_open
from etram_pipeline.core.errors import BusyError, StoreError
from etram_pipeline.session import sigterm_exits
from etram_pipeline.stores.index import read_index
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS

NUM_KILLS = 20


@pytest.fixture(scope="module")
def outdated(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was made with other settings."""
    store = tmp_path_factory.mktemp("outdated") / "store"
    preprocess(raw, store, max_count=7)
    return store


def finished_images(store: Path, undisturbed: dict[str, bytes]) -> dict[Path, int]:
    """Files of images that are done, and which ones they are to the file system."""
    return {
        path: path.stat().st_ino
        for path in store.rglob("*.h5")
        if undisturbed.get(str(path.relative_to(store))) == path.read_bytes()
    }


def assert_continues(raw: Path, store: Path, undisturbed: dict[str, bytes]) -> int:
    """Check that preprocessing again ends as if nothing had happened; how much was done before."""
    kept = finished_images(store, undisturbed)
    preprocess(raw, store)
    assert contents(store) == undisturbed
    assert {path: path.stat().st_ino for path in kept} == kept
    return len(kept)


@pytest.mark.slow
def test_killed_at_any_moment_it_ends_with_the_same_bytes_when_run_again(
    raw: Path, undisturbed: dict[str, bytes], outdated: Path, start: Start, tmp_path: Path
) -> None:
    moments = random.Random(3)
    num_kept = []
    for attempt in range(NUM_KILLS):
        store = tmp_path / f"store{attempt}"
        if attempt % 2:
            shutil.copytree(outdated, store)
        before = files_of(store)
        # So many files later, for how fast they come depends on the machine, and a little more.
        num_files = moments.randrange(len(undisturbed))
        process, _ = start(preprocess, raw, store)
        wait_until(lambda: len(files_of(store) - before) >= num_files or not process.is_alive())  # noqa: B023  # called at once
        time.sleep(moments.uniform(0, 0.03))
        kill_group(process)
        num_kept.append(assert_continues(raw, store, undisturbed))
    assert any(0 < num < len(KEYS) for num in num_kept)


def files_of(store: Path) -> set[tuple[Path, int]]:
    """Files that have their names, and which ones they are to the file system."""
    found = set()
    for path in store.rglob("*.*[a-z5]"):
        with suppress(FileNotFoundError):
            if path.suffix not in {".lock", ".partial"} and path.is_file():
                found.add((path, path.stat().st_ino))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("num_finished", [1, 2])
def test_killed_with_its_workers_it_ends_with_the_same_bytes_when_run_again(
    raw: Path, undisturbed: dict[str, bytes], start: Start, tmp_path: Path, num_finished: int
) -> None:
    process, _ = start(preprocess, raw, tmp_path / "store", "processes")
    wait_until(lambda: len(list((tmp_path / "store").rglob("*.h5"))) >= num_finished)
    kill_group(process)

    assert_continues(raw, tmp_path / "store", undisturbed)


@pytest.mark.slow
def test_workers_whose_run_is_killed_never_write_into_the_next_one(
    raw: Path, undisturbed: dict[str, bytes], start: Start, tmp_path: Path
) -> None:
    process, _ = start(preprocess, raw, tmp_path / "store", "processes", 7)
    wait_until(lambda: any((tmp_path / "store").rglob("*.partial")))
    assert process.pid is not None
    os.kill(process.pid, signal.SIGKILL)
    process.join()

    preprocess(raw, tmp_path / "store")
    time.sleep(1)

    assert contents(tmp_path / "store") == undisturbed


def preprocess_in_a_run(raw: Path, store: Path) -> None:
    """Preprocess as a session does, in worker processes."""
    with sigterm_exits(), kept_open():
        preprocess(raw, store, "processes")


@pytest.mark.slow
@pytest.mark.parametrize(("number", "exit_code"), [(signal.SIGTERM, 143), (signal.SIGINT, 1)])
def test_told_to_end_it_leaves_no_process_behind(
    raw: Path,
    undisturbed: dict[str, bytes],
    start: Start,
    tmp_path: Path,
    number: int,
    exit_code: int,
) -> None:
    process, _ = start(preprocess_in_a_run, raw, tmp_path / "store")
    wait_until(lambda: any((tmp_path / "store").rglob("*.partial")))
    assert process.pid is not None

    os.killpg(process.pid, number)
    process.join()

    assert process.exitcode == exit_code
    wait_until(lambda: not group_exists(process.pid or 0), seconds=5)
    assert_continues(raw, tmp_path / "store", undisturbed)


def group_exists(group: int) -> bool:
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    return True


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def test_another_run_at_the_same_time_is_refused_and_named(
    raw: Path, undisturbed: dict[str, bytes], start: Start, tmp_path: Path
) -> None:
    store = tmp_path / "store"
    process, told = start(preprocess, raw, store)
    wait_until(
        lambda: (store / f".{LABELS}.lock").exists() and read_index(store, LABELS) is not None
    )
    os.kill(process.pid or 0, signal.SIGSTOP)

    with pytest.raises(BusyError, match=rf"another run is using .*\(process {process.pid} on "):
        preprocess(raw, store)

    os.kill(process.pid or 0, signal.SIGCONT)
    assert told.recv() == ""
    assert contents(store) == undisturbed


def test_a_recording_cut_short_fails_alone(
    raw: Path, undisturbed: dict[str, bytes], tmp_path: Path
) -> None:
    damaged, store = tmp_path / "raw", tmp_path / "store"
    shutil.copytree(raw, damaged)
    path = damaged / f"{KEYS[1]}_td.h5"
    whole, times = path.read_bytes(), path.stat()
    path.write_bytes(whole[: len(whole) // 2])

    with pytest.raises(
        StoreError, match=rf"1 of 3 recordings failed.*\n  {KEYS[1]}: Recording"
    ) as told:
        preprocess(damaged, store)
    assert str(told.value).count("\n") == 1
    index = read_index(store, REPRESENTATIONS)
    assert index is not None
    assert sorted(index.recordings) == [KEYS[0], KEYS[2]]

    path.write_bytes(whole)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    assert assert_continues(damaged, store, undisturbed) == 2
