"""What the tests here share."""

import logging
import multiprocessing
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
from tests.preprocessing.recordings import contents, preprocess, write_recordings
from typing_extensions import override

from etram_pipeline.builds.build import build
from etram_pipeline.builds.executors import InlineExecutor
from etram_pipeline.builds.job import BuildJob, check_contents
from etram_pipeline.core.errors import NoLabelsError, RecordingError, StoreError
from etram_pipeline.events.image_buffer import ImageBuffer
from etram_pipeline.events.windows import WindowPlan
from etram_pipeline.stores.index import Index
from etram_pipeline.stores.layout import QUALITY, REPRESENTATIONS
from etram_pipeline.stores.record import Record, Summary
from etram_pipeline.stores.writer import write_representations

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


KEY = "train/a"


@dataclass(frozen=True)
class CopyJob(BuildJob):
    """Copies a file, unless it is empty."""

    path: Path
    settings: tuple[tuple[str, Any], ...] = (("step_ms", 50),)

    recipe: ClassVar[str] = "CopyJob 1"

    @property
    @override
    def outputs(self) -> tuple[str, ...]:
        return f"{QUALITY}/copy.bin", f"{QUALITY}/settings.json"

    @override
    def __call__(self, folder: Path, fingerprint: str) -> Record:
        if not self.path.read_bytes():
            raise NoLabelsError("it is empty")
        (folder / QUALITY).mkdir(parents=True, exist_ok=True)
        shutil.copyfile(self.path, folder / self.outputs[0])
        record = Record(fingerprint=fingerprint, settings={})
        (folder / self.outputs[1]).write_text(record.model_dump_json())
        return record

    @property
    @override
    def inputs(self) -> tuple[Path, ...]:
        return (self.path,)

    @property
    @override
    def parameters(self) -> dict[str, Any]:
        return {"windows": dict(self.settings)}


Again = Callable[..., list[str]]


@pytest.fixture
def job(tmp_path: Path) -> CopyJob:
    path = tmp_path / "a.raw"
    path.write_bytes(b"events")
    return CopyJob(path)


@pytest.fixture
def again(root: Path, caplog: pytest.LogCaptureFixture) -> Again:
    """Builds, and says why something was computed again."""

    def build_again(job: BuildJob, *, check: bool = False) -> list[str]:
        caplog.clear()
        with caplog.at_level(logging.DEBUG):
            build(root, QUALITY, check_contents({KEY: job}, check=check), InlineExecutor())
        return [
            record.getMessage().partition(" is out of date: ")[2]
            for record in caplog.records
            if " is out of date: " in record.getMessage()
        ]

    return build_again


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
