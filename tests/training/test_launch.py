"""Trainings described by a file, run here or by a launcher, on a store as RVT lays it out."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import h5py
import hdf5plugin
import numpy as np
import pytest
import torch

from etram_pipeline.core import locks
from etram_pipeline.core.errors import BusyError
from etram_pipeline.core.locks import Access, held
from etram_pipeline.models.checkpoint import read_checkpoint
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint
from etram_pipeline.training.history import HISTORY, read_history
from etram_pipeline.training.launch import JOB, LaunchError, TrainingJob, main, run_job
from etram_pipeline.training.settings import TrainSettings

Record = Callable[..., LabelledRecordings]
NAME = "stacked_histogram_dt=50_nbins=1"


def write_as_rvt(root: Path, recordings: LabelledRecordings) -> None:
    """RVT's layout; source: uzh-rpg/RVT scripts/genx/preprocess_dataset.py."""
    for key, frames in recordings.frames.items():
        labels = recordings.labels[key]
        images = root / key / "event_representations_v2" / NAME
        images.mkdir(parents=True)
        np.save(images / "timestamps_us.npy", frames.stop_us)
        np.save(images / "objframe_idx_2_repr_idx.npy", frames.frame_windows)
        shape = (1, frames.channels, frames.height, frames.width)
        with h5py.File(images / "event_representations.h5", "w") as file:
            data = frames.read(0, frames.num_windows)
            file.create_dataset("data", data=data, chunks=shape, **hdf5plugin.Blosc("zstd", 1))
        boxes = root / key / "labels_v2"
        boxes.mkdir()
        np.save(boxes / "timestamps_us.npy", labels.times_us)
        np.savez(
            boxes / "labels.npz", labels=labels.labels, objframe_idx_2_label_idx=labels.first_label
        )


@pytest.fixture
def job(record: Record, settings: TrainSettings, tmp_path: Path) -> TrainingJob:
    train, val = record(2), record(1, first_seed=5)
    val = LabelledRecordings({"val/r5": val.frames["train/r5"]}, {"val/r5": val.labels["train/r5"]})
    for recordings in (train, val):
        write_as_rvt(tmp_path / "store", recordings)
    attention = {"dim_head": 8}
    backbone = {"kind": "maxvit", "embed_dim": 8, "partition_split": 1, "attention": attention}
    detector = DetectorConfig.model_validate({"kind": "rvt", "backbone": backbone})
    return TrainingJob(
        representations=tmp_path / "store",
        representation=NAME,
        labels=tmp_path / "store",
        train=("train/r0", "train/r1"),
        val=("val/r5",),
        blueprint=Blueprint(detector=detector, class_names=("box", "other")),
        settings=settings,
    )


def launched_by(job: TrainingJob, launcher: str, **changes: object) -> TrainingJob:
    settings = job.settings.model_dump() | {"launcher": launcher} | changes
    return job.model_copy(update={"settings": TrainSettings.model_validate(settings)})


def test_a_store_as_rvt_lays_it_out_trains_here(job: TrainingJob, tmp_path: Path) -> None:
    best = run_job(job, tmp_path / "work")
    found = read_checkpoint(best)
    assert found.in_channels == 2
    assert found.encoding is None
    assert found.downsampled_by == 1


def test_a_job_survives_being_written_down(job: TrainingJob) -> None:
    assert TrainingJob.model_validate_json(job.model_dump_json(serialize_as_any=True)) == job


@pytest.mark.slow
def test_a_launcher_trains_what_would_be_trained_here(job: TrainingJob, tmp_path: Path) -> None:
    here = run_job(job, tmp_path / "here")
    there = run_job(launched_by(job, f"env OMP_NUM_THREADS=1 {sys.executable}"), tmp_path / "there")
    assert there == tmp_path / "there" / here.name
    found, expected = (read_history(best.with_name(HISTORY)) for best in (there, here))
    assert [row[:2] for row in found] == [row[:2] for row in expected]
    # The number of threads decides in which order sums are taken.
    assert [row[2] for row in found] == pytest.approx([row[2] for row in expected], rel=1e-4)


@pytest.mark.slow
def test_two_processes_train_one_detector(job: TrainingJob, tmp_path: Path) -> None:
    command = f"{sys.executable} -m torch.distributed.run --standalone --nproc-per-node=2"
    best = run_job(launched_by(job, command, devices=2, max_steps=4), tmp_path / "work")
    assert torch.load(best.with_name(LAST))["global_step"] == 4
    steps = [row[0] for row in read_history(best.with_name(HISTORY)) if row[1] == "train/loss"]
    assert steps == [1, 2, 3, 4]


@pytest.mark.parametrize("variable", ["WORLD_SIZE", "SLURM_STEP_NUM_TASKS"])
def test_a_launcher_that_starts_another_number_of_processes_is_refused(
    job: TrainingJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    variable: str,
) -> None:
    monkeypatch.setenv(variable, "4")
    (tmp_path / JOB).write_text(job.model_dump_json(serialize_as_any=True))
    with pytest.raises(SystemExit):
        main(tmp_path)
    assert "train.launcher starts 4 processes, but train.devices (1) times" in caplog.text
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == [JOB]


def test_a_launcher_that_does_not_exist_is_named(job: TrainingJob, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"train\.launcher: cannot start 'torchrum'"):
        run_job(launched_by(job, "torchrum --standalone"), tmp_path / "work")


def test_a_launcher_that_fails_is_an_error(job: TrainingJob, tmp_path: Path) -> None:
    with pytest.raises(LaunchError, match=r"ended with code 1; see its messages above"):
        run_job(launched_by(job, "false"), tmp_path / "work")


def test_who_trains_in_a_folder_already_is_not_joined(job: TrainingJob, tmp_path: Path) -> None:
    work = tmp_path / "work"
    with (
        held(Access(work, inside=True), "wait"),
        pytest.raises(BusyError, match=rf"{work}, which .* \(process {os.getpid()} on"),
    ):
        run_job(job, work)
    assert [path.name for path in work.iterdir()] == [".lock"]


LAUNCH = """
import sys
from pathlib import Path
from etram_pipeline.training.launch import TrainingJob, run_job
run_job(TrainingJob.model_validate_json(Path(sys.argv[1]).read_text()), Path(sys.argv[2]))
"""

LAUNCHED = """
import signal, sys, time
from pathlib import Path
folder = Path(sys.argv[-1])
def save(*_):
    (folder / "saved").touch()
    sys.exit(143)
signal.signal(signal.SIGTERM, save)
(folder / "launched").touch()
time.sleep(60)
"""


@pytest.fixture
def launching(job: TrainingJob, tmp_path: Path) -> Iterator["subprocess.Popen[str]"]:
    """A process whose launcher has begun to train into `work`."""
    script = tmp_path / "launcher.py"
    script.write_text(LAUNCHED)
    path = tmp_path / "job.json"
    asked = launched_by(job, f"{sys.executable} {script}")
    path.write_text(asked.model_dump_json(serialize_as_any=True))
    command = [sys.executable, "-c", LAUNCH, str(path), str(tmp_path / "work")]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        while not (tmp_path / "work" / "launched").exists():
            assert process.poll() is None
            time.sleep(0.02)
        yield process
        process.kill()


def test_ctrl_c_has_what_was_launched_save_and_says_how_it_goes_on(
    launching: "subprocess.Popen[str]", tmp_path: Path
) -> None:
    launching.send_signal(signal.SIGINT)
    _, told = launching.communicate(timeout=30)
    assert (tmp_path / "work" / "saved").exists()
    assert "KeyboardInterrupt: training was stopped; the same command continues" in told
    with held(Access(tmp_path / "work", inside=True), "wait"):
        pass


def test_what_was_launched_keeps_the_folder_when_what_launched_it_is_killed(
    launching: "subprocess.Popen[str]",
    job: TrainingJob,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(locks, "_PATIENCE_S", 0.1)
    with pytest.raises(
        BusyError, match=rf"\(process {launching.pid} on .*it runs the same training"
    ):
        run_job(job, tmp_path / "work")
    launching.kill()
    launching.wait()
    with pytest.raises(BusyError, match=rf"\(what process {launching.pid} on .* before it ended"):
        run_job(job, tmp_path / "work")
    for cmdline in Path("/proc").glob("[0-9]*/cmdline"):
        if str(tmp_path / "launcher.py").encode() in cmdline.read_bytes():
            os.kill(int(cmdline.parent.name), signal.SIGTERM)
    monkeypatch.undo()
    with held(Access(tmp_path / "work", inside=True), "wait"):
        pass
