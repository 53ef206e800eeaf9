import hashlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from etram_pipeline.core import etram
from etram_pipeline.core.errors import RecordingError
from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording
from etram_pipeline.events.recording import open_recording
from etram_pipeline.scene import recordings as module
from etram_pipeline.scene.manifest import (
    Manifest,
    waiting_for_others,
    writing_for_others,
)
from etram_pipeline.scene.plan import plan_recordings
from etram_pipeline.scene.scene import Scene
from etram_pipeline.scene.settings import (
    SceneRecordingsSettings,
    SceneSettings,
)

write_scene = partial(module.write_scene, write_recording=write_etram_recording)

NOBODY = dict.fromkeys(etram.CLASSES, 0.0)
SMALL = SceneSettings(
    height=48, width=80, duration_s=0.1, class_weights=NOBODY | {"car": 1.0, "motorbike": 1.0}
)
FEW = SceneRecordingsSettings(scene=SMALL, num_train=2, num_val=1, num_test=1, night_fraction=0.5)


def contents(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*/*"))
    }


def times(folder: Path) -> dict[str, int]:
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.glob("*/*")}


@pytest.fixture(scope="module")
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two recordings to train on, one to validate and one to test on."""
    folder = tmp_path_factory.mktemp("scene")
    write_scene(folder, FEW)
    return folder


@pytest.fixture
def folder(made_once: Path, tmp_path: Path) -> Path:
    """A copy of that folder to work on."""
    return Path(shutil.copytree(made_once, tmp_path / "scene"))


def test_files_have_the_names_of_etram(folder: Path) -> None:
    assert sorted(contents(folder)) == [
        "test/test_day_0001_bbox.npy",
        "test/test_day_0001_td.h5",
        "train/train_day_0001_bbox.npy",
        "train/train_day_0001_td.h5",
        "train/train_night_0001_bbox.npy",
        "train/train_night_0001_td.h5",
        "val/val_day_0001_bbox.npy",
        "val/val_day_0001_td.h5",
    ]


def test_files_hold_the_events_and_boxes_of_the_scene(folder: Path) -> None:
    planned = {each.key: each for each in plan_recordings(FEW)}["train/train_night_0001"]
    scene = Scene(planned.settings, planned.seed)
    recording = open_recording(folder / "train/train_night_0001_td.h5")
    assert (recording.height, recording.width) == (48, 80)
    for name in ("t_us", "x", "y", "polarity"):
        stored = np.concatenate([getattr(chunk, name) for chunk in recording.read()])
        simulated = np.concatenate([getattr(slab, name) for slab in scene.stream()])
        assert np.array_equal(stored, simulated)
    boxes = np.load(folder / "train/train_night_0001_bbox.npy")
    assert np.array_equal(boxes, scene.labels)


def test_every_call_makes_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    write_scene(tmp_path / "again", FEW)
    assert contents(tmp_path / "again") == contents(folder)


def test_processes_make_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        write_scene(tmp_path / "again", FEW, pool)
    assert contents(tmp_path / "again") == contents(folder)


class KilledWorker(Executor):
    """Loses the process of every job but the first."""

    def __init__(self) -> None:
        self.num_jobs = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:  # noqa: ANN401  # as its base
        future: Future[Any] = Future()
        self.num_jobs += 1
        if self.num_jobs == 1:
            future.set_result(fn(*args, **kwargs))
        else:
            future.set_exception(BrokenExecutor())
        return future


def test_killed_worker_is_named_and_complete_recordings_are_kept(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match="was killed, most likely because"):
        write_scene(tmp_path, FEW, KilledWorker())
    before = times(tmp_path)
    write_scene(tmp_path, FEW)
    after = times(tmp_path)
    assert not Manifest(tmp_path).missing(plan_recordings(FEW))
    assert {name.split("/")[0] for name in before} == {"train"}
    assert after["train/train_day_0001_td.h5"] == before["train/train_day_0001_td.h5"]


def test_next_call_waits_for_workers_of_a_killed_one(folder: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with waiting_for_others(folder):
            entered.set()

    with writing_for_others(folder):
        thread = threading.Thread(target=enter)
        thread.start()
        assert not entered.wait(0.2)
    thread.join()
    assert entered.is_set()


def test_no_two_recordings_are_alike(folder: Path) -> None:
    found = contents(folder)
    assert len(set(found.values())) == len(found)


def test_second_call_leaves_all_as_it_is(folder: Path) -> None:
    before = times(folder)
    write_scene(folder, FEW)
    assert times(folder) == before


def test_removed_and_cut_files_are_made_again(folder: Path) -> None:
    before, times_before = contents(folder), times(folder)
    (folder / "val/val_day_0001_bbox.npy").unlink()
    with (folder / "test/test_day_0001_td.h5").open("r+b") as file:
        file.truncate(1000)
    write_scene(folder, FEW)
    assert contents(folder) == before
    kept = {name for name, time_ns in times(folder).items() if time_ns == times_before[name]}
    assert {name.split("/")[0] for name in kept} == {"train"}


def test_changed_settings_make_the_recordings_anew(folder: Path) -> None:
    before = contents(folder)
    write_scene(folder, FEW.model_copy(update={"seed": 1}))
    after = contents(folder)
    assert after.keys() == before.keys()
    assert not set(after.values()) & set(before.values())


def test_more_recordings_leave_those_that_are_there(folder: Path) -> None:
    before = times(folder)
    write_scene(folder, FEW.model_copy(update={"num_test": 2}))
    after = times(folder)
    new = {name for name in after if after[name] != before.get(name)}
    assert new == {"test/test_night_0001_td.h5", "test/test_night_0001_bbox.npy"}


def test_recordings_no_longer_asked_for_are_removed(folder: Path) -> None:
    write_scene(folder, FEW.model_copy(update={"num_test": 0}))
    assert {name.split("/")[0] for name in contents(folder)} == {"train", "val"}


def test_files_of_others_are_never_touched(folder: Path, tmp_path: Path) -> None:
    (folder / "train/notes.txt").write_text("mine")
    write_scene(folder, FEW.model_copy(update={"seed": 1}))
    assert (folder / "train/notes.txt").read_text() == "mine"
    taken = tmp_path / "taken/val/val_day_0001_td.h5"
    taken.parent.mkdir(parents=True)
    taken.write_text("somebody's recording")
    with pytest.raises(RecordingError, match=r"val_day_0001_td\.h5 was not made by the simulator"):
        write_scene(tmp_path / "taken", FEW)
    assert sorted(contents(tmp_path / "taken")) == ["val/val_day_0001_td.h5"]
    assert taken.read_text() == "somebody's recording"


@pytest.mark.parametrize("text", ["", "[]", '{"recordings": 3}', '{"recordings": {"a": 1}}'])
def test_damaged_manifest_is_named(folder: Path, text: str) -> None:
    (folder / "scene.json").write_text(text)
    with pytest.raises(RecordingError, match=r"scene\.json does not list simulated recordings"):
        write_scene(folder, FEW)


def test_failed_call_keeps_what_is_complete_and_the_next_goes_on(tmp_path: Path) -> None:
    in_the_way = tmp_path / "test"
    in_the_way.write_text("a file where a folder has to be")
    with pytest.raises(OSError, match="test"):
        write_scene(tmp_path, FEW)
    before = times(tmp_path)
    in_the_way.unlink()
    write_scene(tmp_path, FEW)
    after = times(tmp_path)
    assert not Manifest(tmp_path).missing(plan_recordings(FEW))
    assert all(after[name] == before[name] for name in before if name.startswith("train"))


MANY = FEW.model_copy(update={"num_train": 14})


@pytest.mark.slow
def test_killed_call_leaves_nothing_half_and_the_next_goes_on(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from etram_pipeline.events.formats.etram_hdf5 import write_etram_recording\n"
        "from etram_pipeline.scene.recordings import write_scene\n"
        "from etram_pipeline.scene.settings import SceneRecordingsSettings\n"
        "settings = SceneRecordingsSettings.model_validate_json(sys.argv[2])\n"
        "write_scene(Path(sys.argv[1]), settings, write_recording=write_etram_recording)\n"
    )
    source = Path(__file__).parents[2] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source)}
    arguments = [sys.executable, "-c", code, str(tmp_path), MANY.model_dump_json()]
    process = subprocess.Popen(arguments, env=environment)
    while len(list(tmp_path.glob("train/*.npy"))) < 4:
        assert process.poll() is None
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = [each for each in plan_recordings(MANY) if each not in missing(tmp_path)]
    assert 0 < len(done) < 16
    for path in tmp_path.glob("*/*_td.h5"):
        assert open_recording(path).num_events > 0
    before = times(tmp_path)
    write_scene(tmp_path, MANY)
    assert not missing(tmp_path)
    assert not list(tmp_path.glob("*/.*.partial"))
    kept = {f"{each.key}_td.h5" for each in done}
    assert all(times(tmp_path)[name] == before[name] for name in kept)


def missing(folder: Path) -> list[object]:
    return list(Manifest(folder).missing(plan_recordings(MANY)))


@pytest.mark.slow
def test_every_split_of_the_default_shows_all_classes() -> None:
    default = SceneRecordingsSettings()
    # Who passes does not depend on the resolution, so a coarse sensor tells it.
    coarse = default.scene.model_copy(update={"height": 96, "width": 160})
    settings = default.model_copy(update={"scene": coarse})
    seen: dict[str, set[int]] = {"train": set(), "val": set(), "test": set()}
    for planned in plan_recordings(settings):
        labels = Scene(planned.settings, planned.seed).labels
        seen[planned.key.split("/")[0]] |= set(labels["class_id"].tolist())
    assert seen == {key: set(range(len(etram.CLASSES))) for key in seen}
