"""Preprocessing that is killed, runs out of space, or meets what it cannot write to."""

import multiprocessing
import os
import random
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from tests.preprocessing.recordings import KEYS, contents, preprocess, write_recordings

from etram_pipeline.builds.executors import kept_open
from etram_pipeline.core.errors import BusyError, StoreError
from etram_pipeline.session import sigterm_exits
from etram_pipeline.stores.index import read_index
from etram_pipeline.stores.layout import LABELS, REPRESENTATIONS

NUM_KILLS = 20


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three recordings and their labels."""
    folder = tmp_path_factory.mktemp("raw")
    write_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """What is stored when nothing goes wrong."""
    store = tmp_path_factory.mktemp("undisturbed") / "store"
    preprocess(raw, store)
    return contents(store)


@pytest.fixture(scope="module")
def outdated(raw: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store that was made with other settings."""
    store = tmp_path_factory.mktemp("outdated") / "store"
    preprocess(raw, store, max_count=7)
    return store


@pytest.fixture(scope="module")
def fresh_processes() -> Iterator[ForkServerContext]:
    """Starts processes that have everything imported, and so are soon at work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parents[2]))
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(["tests.builds.test_crashes"])
        yield context


Start = Callable[..., tuple[BaseProcess, Connection]]


@pytest.fixture
def start(fresh_processes: ForkServerContext) -> Iterator[Start]:
    """Starts a function in a process of its own, and returns when it is about to run."""
    started: list[BaseProcess] = []

    def start_process(
        target: Callable[..., None], *arguments: object
    ) -> tuple[BaseProcess, Connection]:
        here, there = fresh_processes.Pipe()
        process = fresh_processes.Process(target=in_own_group, args=(there, target, *arguments))
        process.start()
        started.append(process)
        there.close()
        here.recv()
        return process, here

    yield start_process
    for process in started:
        kill_group(process)


def in_own_group(told: Connection, target: Callable[..., None], *arguments: object) -> None:
    """Run `target` where it can be killed together with the processes that it starts."""
    os.setpgid(0, 0)
    told.send("ready")
    try:
        target(*arguments)
    except StoreError as error:
        told.send(str(error))
    else:
        told.send("")


def kill_group(process: BaseProcess) -> None:
    assert process.pid is not None
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.join()


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
