"""Builds that are repeated, changed, killed, and given bad recordings."""

import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.builds.conftest import FOLDER, CountJob, Jobs, Run
from tests.conftest import PROJECT
from typing_extensions import override

from etram_pipeline.builds.build import build
from etram_pipeline.builds.exclusive import exclusive
from etram_pipeline.builds.executors import ExecutorConfig, InlineExecutor, open_executor
from etram_pipeline.core.errors import BusyError, StoreError
from etram_pipeline.stores.index import read_index
from etram_pipeline.stores.layout import REPRESENTATIONS
from etram_pipeline.stores.representation_store import RepresentationStore

PROCESSES = ExecutorConfig.model_validate({"kind": "processes", "workers": 2})


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets worker processes import this module by the name it has here."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


Computed = Callable[[], list[str]]


def contents(root: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.suffix != ".lock"
    }


def with_fate(jobs: Jobs, key: str, fate: str) -> Jobs:
    return {**jobs, key: replace(jobs[key], fate=fate)}


def test_a_second_build_computes_and_changes_nothing(
    root: Path, jobs: Jobs, run: Run, computed: Computed
) -> None:
    first = run(jobs)
    assert computed() == sorted(jobs)
    times = {path: path.stat().st_mtime_ns for path in root.rglob("*.*[a-z5]") if path.is_file()}

    second = run(jobs)

    assert computed() == []
    assert second == first
    changed = {p for p, t in times.items() if p.stat().st_mtime_ns != t and p.suffix != ".lock"}
    assert not changed


def test_only_recordings_whose_settings_changed_are_computed_again(
    root: Path, jobs: Jobs, run: Run, computed: Computed, caplog: pytest.LogCaptureFixture
) -> None:
    run(jobs)
    computed()
    changed = {**jobs, "train/b": replace(jobs["train/b"], scale=3)}

    with caplog.at_level(logging.INFO):
        run(changed)

    assert computed() == ["train/b"]
    assert RepresentationStore(root)["train/b"].read(5, 6).max() == 15
    assert "3 of 4 recordings up to date" in caplog.text
    assert "1 to compute (1 of them again)" in caplog.text


def test_a_recording_of_which_a_file_is_missing_is_computed_again(
    root: Path, jobs: Jobs, run: Run, computed: Computed
) -> None:
    run(jobs)
    computed()
    before = contents(root)
    (root / "val/c" / FOLDER / "timestamps_us.npy").unlink()

    run(jobs)

    assert computed() == ["val/c"]
    assert contents(root) == before


def test_a_removed_recording_is_left_where_it_is_but_not_listed(
    root: Path, jobs: Jobs, run: Run
) -> None:
    run(jobs)
    del jobs["val/c"]

    run(jobs)

    assert sorted(RepresentationStore(root)) == ["test/d", "train/a", "train/b"]
    assert (root / "val/c" / FOLDER / "event_representations.h5").exists()


def test_no_recordings_make_an_empty_store(root: Path, run: Run) -> None:
    run({})

    assert len(RepresentationStore(root)) == 0


@pytest.mark.usefixtures("_importable")
def test_processes_make_the_same_files(root: Path, jobs: Jobs, run: Run, tmp_path: Path) -> None:
    run(jobs)
    other = tmp_path / "other"

    with open_executor(PROCESSES) as executor:
        build(other, REPRESENTATIONS, jobs, executor)

    assert contents(other) == contents(root)


@pytest.mark.usefixtures("_importable")
def test_a_recording_that_kills_its_worker_fails_alone(
    root: Path, jobs: Jobs, run: Run, computed: Computed
) -> None:
    with (
        open_executor(PROCESSES) as executor,
        pytest.raises(StoreError, match="a worker process was killed, most often because memory"),
    ):
        run(with_fate(jobs, "val/c", "killed"), executor)

    kept = list(RepresentationStore(root))
    assert kept == ["test/d", "train/a", "train/b"]
    # Twice, because there might have been too little memory for several at once.
    assert computed() == ["test/d", "train/a", "train/b", "val/c", "val/c"]
    run(jobs)
    assert computed() == ["val/c"]
    assert not list(root.rglob("*.partial"))


class BrokenPool(Executor):
    """An executor whose processes are gone."""

    @override
    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        raise BrokenExecutor("a process was killed")


def test_an_executor_that_takes_no_jobs_any_more_is_told(jobs: Jobs, run: Run) -> None:
    with pytest.raises(
        StoreError, match=r"4 of 4 recordings failed(.|\n)*worker process was killed"
    ):
        run(jobs, BrokenPool())


def test_two_builds_of_one_store_are_kept_apart(root: Path, jobs: Jobs, run: Run) -> None:
    root.mkdir()
    with (
        exclusive(root, REPRESENTATIONS),
        pytest.raises(BusyError, match=r"another run is using .*which this one writes"),
    ):
        run(jobs)
    run(jobs)


def build_slowly(root: Path, log: Path, kind: str) -> None:
    """Build six recordings, each of which takes at least a fifth of a second."""
    with open_executor(ExecutorConfig.model_validate({"kind": kind})) as executor:
        build(root, REPRESENTATIONS, six_jobs(log, pause_s=0.01), executor)


def six_jobs(log: Path, pause_s: float = 0.0) -> Jobs:
    keys = [f"train/{name}" for name in "abcdef"]
    return {key: CountJob(key, log, pause_s=pause_s) for key in keys}


def start_build(root: Path, log: Path, kind: str) -> subprocess.Popen[bytes]:
    """Run `build_slowly` in a process of its own."""
    code = (
        f"from tests.builds.test_build import *; "
        f"build_slowly(Path({str(root)!r}), Path({str(log)!r}), {kind!r})"
    )
    path = os.pathsep.join([str(PROJECT), *sys.path])
    return subprocess.Popen([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path})


def wait_until(condition: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.002)


def finished(root: Path) -> set[str]:
    return {str(path) for path in root.rglob("event_representations.h5")}


@pytest.mark.parametrize(
    ("kind", "num_finished"), [("inline", 0), ("inline", 3), ("inline", 5), ("processes", 2)]
)
def test_a_build_killed_at_any_moment_is_continued(
    root: Path, tmp_path: Path, computed: Computed, kind: str, num_finished: int
) -> None:
    log = tmp_path / "log.txt"
    process = start_build(root, log, kind)
    wait_until(lambda: len(finished(root)) >= num_finished and any(root.rglob(".*.h5.*.partial")))
    process.kill()
    process.wait()

    kept = finished(root)
    assert num_finished <= len(kept) < 6
    index = read_index(root, REPRESENTATIONS)
    assert index is not None
    assert not index.complete
    with pytest.raises(StoreError, match="was interrupted: run `preprocess` again"):
        RepresentationStore(root)
    time.sleep(0.3)  # workers of the killed process end a moment after it
    computed()

    build(root, REPRESENTATIONS, six_jobs(log), InlineExecutor())

    assert len(computed()) == 6 - len(kept)
    assert not list(root.rglob("*.partial"))
    untouched = tmp_path / "untouched"
    build(untouched, REPRESENTATIONS, six_jobs(log), InlineExecutor())
    assert contents(root) == contents(untouched)
