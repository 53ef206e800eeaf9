"""Builds that are repeated, changed, killed, and given bad recordings."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from typing_extensions import override

from etram_pipeline.builds.build import build
from etram_pipeline.builds.exclusive import exclusive
from etram_pipeline.builds.executors import ExecutorConfig, InlineExecutor, open_executor
from etram_pipeline.builds.job import BuildJob
from etram_pipeline.core.errors import BusyError, NoLabelsError, RecordingError, StoreError
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.stores.index import Index, index_path, read_index
from etram_pipeline.stores.layout import REPRESENTATIONS
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.writer import write_representations

PROCESSES = ExecutorConfig.model_validate({"kind": "processes", "workers": 2})
FOLDER = f"{REPRESENTATIONS}/counts"
NUM_WINDOWS = 20

ENCODING = {"windows": {"kind": "regular"}, "representation": {"kind": "stacked_histogram"}}


@dataclass(frozen=True)
class CountJob(BuildJob):
    """Stores windows filled with their own number, and notes in a file that it was run."""

    name: str
    log: Path
    scale: int = 1
    pause_s: float = 0.0
    fate: str = ""

    recipe: ClassVar[str] = "CountJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        names = ("timestamps_us.npy", "objframe_idx_2_repr_idx.npy", "event_representations.h5")
        return tuple(f"{FOLDER}/{name}" for name in names)

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        with self.log.open("a") as file:
            file.write(f"{self.name}\n")
        plan = WindowPlan(np.arange(1, NUM_WINDOWS + 1), np.array([3]), duration_us=1)
        summary = Summary(num_windows=NUM_WINDOWS)
        describe = partial(self._describe, fingerprint, summary)
        return write_representations(folder / FOLDER, self._images(), plan, 1, describe)

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        return (self.log.parent / f"{self.name}.h5",) if self.fate == "vanished" else ()

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"name": self.name, "scale": self.scale, "fate": self.fate}

    def _images(self) -> Iterator[ImageBuffer]:
        for window in range(NUM_WINDOWS):
            time.sleep(self.pause_s)
            if window == NUM_WINDOWS // 2:
                self._meet_fate()
            yield ImageBuffer(np.full((2, 8, 8), window * self.scale, np.uint8))

    def _meet_fate(self) -> None:
        if self.fate == "damaged":
            raise RecordingError(f"{self.name}.h5 ends in the middle of an event")
        if self.fate == "bug":
            raise ZeroDivisionError("a mistake")
        if self.fate == "unlabelled":
            raise NoLabelsError("no box is left after the filters")
        if self.fate == "killed":
            os.kill(os.getpid(), signal.SIGKILL)

    @staticmethod
    def _describe(fingerprint: str, summary: Summary, num_bytes: int) -> Record:
        summary = summary.model_copy(update={"num_bytes": num_bytes})
        return Record(fingerprint=fingerprint, settings=ENCODING, summary=summary)


Jobs = dict[str, CountJob]
Run = Callable[..., Index]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def jobs(tmp_path: Path) -> Jobs:
    """Jobs for four recordings."""
    keys = ["train/a", "train/b", "val/c", "test/d"]
    return {key: CountJob(key, tmp_path / "log.txt") for key in keys}


@pytest.fixture
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets worker processes import this module by the name it has here."""
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2]))


@pytest.fixture
def run(root: Path) -> Run:
    """Builds in this process, and says what is stored."""

    def build_here(jobs: Jobs, executor: Executor | None = None, **options: bool) -> Index:
        return build(root, REPRESENTATIONS, jobs, executor or InlineExecutor(), **options)

    return build_here


@pytest.fixture
def computed(tmp_path: Path) -> Callable[[], list[str]]:
    """Recordings computed since it was asked last."""

    def ask() -> list[str]:
        log = tmp_path / "log.txt"
        names = sorted(log.read_text().split()) if log.exists() else []
        log.unlink(missing_ok=True)
        return names

    return ask


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


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        ("damaged", "RecordingError: train/b.h5 ends in the middle of an event"),
        ("bug", "ZeroDivisionError: a mistake"),
        ("vanished", "an input cannot be read: .*train/b.h5"),
    ],
)
def test_a_bad_recording_does_not_stop_the_others_and_is_listed(
    root: Path, jobs: Jobs, run: Run, computed: Computed, fate: str, reason: str
) -> None:
    with pytest.raises(StoreError, match=f"1 of 4 recordings failed.*\n  train/b: {reason}"):
        run(with_fate(jobs, "train/b", fate))

    assert sorted(RepresentationStore(root)) == ["test/d", "train/a", "val/c"]
    assert list(RepresentationStore(root).failed) == ["train/b"]
    computed()
    run(jobs)
    assert computed() == ["train/b"]


def test_a_failure_leaves_what_was_stored_before(root: Path, jobs: Jobs, run: Run) -> None:
    run(jobs)
    before = contents(root / "train/b")

    with pytest.raises(StoreError):
        run(with_fate(jobs, "train/b", "damaged"))

    assert contents(root / "train/b") == before
    assert "train/b" not in RepresentationStore(root)


def test_failures_can_be_left_to_the_index(jobs: Jobs, run: Run) -> None:
    index = run(with_fate(jobs, "train/b", "damaged"), raise_failures=False)

    assert list(index.failed) == ["train/b"]
    assert len(index.recordings) == 3


@pytest.mark.parametrize(("number", "times"), [(1, 0), (2, 1)])
def test_of_a_single_recording_a_failure_is_told_at_the_end_alone(
    jobs: Jobs, run: Run, caplog: pytest.LogCaptureFixture, number: int, times: int
) -> None:
    run(with_fate(dict(list(jobs.items())[:number]), "train/a", "damaged"), raise_failures=False)

    assert caplog.text.count("ends in the middle") == times


def test_many_failures_are_cut_short(tmp_path: Path, run: Run) -> None:
    log = tmp_path / "log.txt"
    jobs = {f"train/{n:02}": CountJob(f"train/{n:02}", log, fate="damaged") for n in range(13)}

    with pytest.raises(StoreError, match=r"13 of 13(.|\n)*train/09(.|\n)*and 3 more") as error:
        run(jobs)
    assert "train/10" not in str(error.value)


def test_a_recording_without_labels_is_skipped_once_and_for_all(
    root: Path, jobs: Jobs, run: Run, computed: Computed, caplog: pytest.LogCaptureFixture
) -> None:
    jobs = with_fate(jobs, "train/b", "unlabelled")

    with caplog.at_level(logging.WARNING):
        run(jobs)
    computed()
    run(jobs)

    assert computed() == []
    assert RepresentationStore(root).skipped == {"train/b": "no box is left after the filters"}
    assert "train/b is skipped: no box is left" in caplog.text


def test_if_nothing_can_be_stored_of_any_recording_that_is_an_error(jobs: Jobs, run: Run) -> None:
    unlabelled = {key: replace(job, fate="unlabelled") for key, job in jobs.items()}

    with pytest.raises(NoLabelsError, match="nothing to store of any recording; test/d, for one"):
        run(unlabelled)


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


@pytest.mark.parametrize("name", ["event_representations.h5", "timestamps_us.npy"])
def test_a_file_damaged_from_outside_is_made_again(
    root: Path, jobs: Jobs, run: Run, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    run(jobs)
    before = contents(root)
    path = root / "val/c" / FOLDER / name
    path.write_bytes(path.read_bytes()[:100])

    with caplog.at_level(logging.INFO):
        run(jobs)

    assert f"val/c is out of date: {FOLDER}/{name} is damaged" in caplog.text
    assert contents(root) == before


def test_a_damaged_file_of_unknown_origin_is_named_and_not_replaced(
    root: Path, jobs: Jobs, run: Run
) -> None:
    run(jobs)
    path = root / "val/c" / FOLDER / "event_representations.h5"
    path.write_bytes(path.read_bytes()[:100])
    index_path(root, REPRESENTATIONS).unlink()

    with pytest.raises(StoreError, match=r"val/c.*is not a whole HDF5 file; delete it"):
        run(jobs)
    path.unlink()
    run(jobs)


def test_two_builds_of_one_store_are_kept_apart(root: Path, jobs: Jobs, run: Run) -> None:
    root.mkdir()
    with (
        exclusive(root, REPRESENTATIONS),
        pytest.raises(BusyError, match=r"another run is using .*which this one writes"),
    ):
        run(jobs)
    run(jobs)


def test_a_damaged_index_is_written_anew(
    root: Path, jobs: Jobs, run: Run, computed: Computed
) -> None:
    run(jobs)
    computed()
    index_path(root, REPRESENTATIONS).write_text("{")
    with pytest.raises(StoreError, match="is damaged; run `preprocess` again"):
        RepresentationStore(root)

    run(jobs)

    assert computed() == []
    assert len(RepresentationStore(root)) == 4


def build_slowly(root: Path, log: Path, kind: str) -> None:
    """Build six recordings, each of which takes at least a fifth of a second."""
    with open_executor(ExecutorConfig.model_validate({"kind": kind})) as executor:
        build(root, REPRESENTATIONS, six_jobs(log, pause_s=0.01), executor)


def six_jobs(log: Path, pause_s: float = 0.0) -> Jobs:
    keys = [f"train/{name}" for name in "abcdef"]
    return {key: CountJob(key, log, pause_s=pause_s) for key in keys}


def start_build(root: Path, log: Path, kind: str) -> subprocess.Popen[bytes]:
    """Run `build_slowly` in a process of its own."""
    here = str(Path(__file__).parent)
    code = (
        f"from test_build import *; build_slowly(Path({str(root)!r}), Path({str(log)!r}), {kind!r})"
    )
    path = os.pathsep.join([here, *sys.path])
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
