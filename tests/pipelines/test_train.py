"""The node that trains, without a training."""

import inspect
import os
import shutil
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import torch
from tests.training import conftest
from tests.training.test_launch import NAME, write_as_rvt

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.events.representations import RepresentationConfig
from etram_pipeline.events.windows import WindowConfig
from etram_pipeline.labels.label_sets import CLASS_NAMES, EIGHT
from etram_pipeline.labels.settings import LabelSettings
from etram_pipeline.labels.table import LABEL_DTYPE
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.models.detectors.rvt import Config
from etram_pipeline.pipelines.train.nodes import train_detector
from etram_pipeline.sequences.build import build
from etram_pipeline.sequences.executors import InlineExecutor
from etram_pipeline.sequences.layout import LABELS, REPRESENTATIONS
from etram_pipeline.sequences.preprocess import encode_jobs, label_jobs
from etram_pipeline.sequences.settings import StorageSettings
from etram_pipeline.sequences.store import FrameStore, LabelStore
from etram_pipeline.training import launch
from etram_pipeline.training.checkpoints import BEST
from etram_pipeline.training.history import History
from etram_pipeline.training.settings import TrainSettings


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[launch.Job, Path]]:
    """What is asked to be trained, and where."""
    asked = []

    def run_job(job: launch.Job, work_dir: Path) -> Path:
        asked.append((job, work_dir))
        work_dir.mkdir(parents=True, exist_ok=True)
        History(work_dir).forget_after(0)
        state = {PAYLOAD_KEY: {"format": 1}, "state_dict": {}, "optimizer_states": [1]}
        torch.save(state, work_dir / BEST)
        return work_dir / BEST

    monkeypatch.setattr(launch, "run_job", run_job)
    return asked


def test_a_checkpoint_to_start_from_is_found_from_anywhere_and_the_detector_alone_is_given(
    jobs: list[tuple[launch.Job, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    checkpoint = tmp_path / "data" / "start.ckpt"
    for folder in (checkpoint.parent, tmp_path / "notebooks"):
        folder.mkdir()
    checkpoint.write_bytes(b"weights")
    write_as_rvt(tmp_path / "store", inspect.unwrap(conftest.record)()(1))
    stores = FrameStore(tmp_path / "store", NAME), LabelStore(tmp_path / "store")
    dataset = DatasetSettings(height=96, width=128, class_names=CLASS_NAMES[EIGHT])
    for cwd, path in [
        (tmp_path, "data/start.ckpt"),
        (tmp_path / "notebooks", "data/start.ckpt"),
        (tmp_path / "notebooks", str(checkpoint)),
    ]:
        monkeypatch.chdir(cwd)
        settings = TrainSettings(start_from=path)
        given, _ = train_detector(*stores, tmp_path / "trainings", dataset, Config(), settings)
        assert torch.load(given) == {PAYLOAD_KEY: {"format": 1}, "state_dict": {}}
    assert [job.settings.start_from for job, _ in jobs] == [str(checkpoint)] * 3
    assert jobs[0][1] == jobs[1][1]


CLASSES = DatasetSettings(height=96, width=128, class_names=CLASS_NAMES[EIGHT])


def preprocess(root: Path, recordings: Path, **storage: Any) -> tuple[FrameStore, LabelStore]:
    """Bring what is stored of a recording of two events up to date."""
    recording = recordings / "train" / "a.h5"
    if not recording.exists():
        recording.parent.mkdir(parents=True)
        with h5py.File(recording, "w") as file:
            for name, value in {"t": [10, 90_000], "x": [1, 2], "y": [3, 4], "p": [0, 1]}.items():
                file[f"events/{name}"] = np.array(value)
            file.attrs.update(height=96, width=128)
        boxes = np.zeros(1, LABEL_DTYPE)
        boxes["t"], boxes["w"], boxes["h"] = 50_000, 40, 40
        np.save(recording.with_name("a_bbox.npy"), boxes)
    files, labels = {"train/a": recording}, {"train/a": recording.with_name("a_bbox.npy")}
    settings = LabelSettings(filters=(), first_frame_ms=0)
    build(root, LABELS, label_jobs(files, labels, CLASSES, settings), InlineExecutor())
    jobs = encode_jobs(
        files,
        LabelStore(root),
        CLASSES,
        WindowConfig.model_validate({"kind": "regular"}),
        RepresentationConfig.model_validate({"kind": "stacked_histogram"}),
        StorageSettings(**storage),
    )
    build(root, REPRESENTATIONS, jobs, InlineExecutor())
    return FrameStore(root), LabelStore(root)


def touch(folder: Path) -> None:
    for path in folder.rglob("*.*"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))


def test_a_training_is_known_by_content_and_not_by_dates_or_compression(
    jobs: list[tuple[launch.Job, Path]], tmp_path: Path
) -> None:
    def train() -> Path:
        stores = preprocess(tmp_path / "store", tmp_path / "raw", **storage)
        train_detector(*stores, tmp_path / "trainings", CLASSES, Config(), TrainSettings())
        return jobs[-1][1].resolve()

    storage: dict[str, Any] = {}
    first = train()
    images = next((tmp_path / "store").rglob("*.h5"))
    encoded = images.stat().st_mtime_ns
    touch(tmp_path / "raw")
    assert train() == first
    assert images.stat().st_mtime_ns == encoded
    storage = {"profile": "fast"}
    assert train() == first
    shutil.rmtree(tmp_path / "store")
    touch(tmp_path / "raw")
    assert train() == first
    with h5py.File(tmp_path / "raw/train/a.h5", "a") as file:
        file["events/x"][0] = 7
    assert train() != first


def test_a_training_of_a_former_version_goes_on_and_keeps_doing_so(
    jobs: list[tuple[launch.Job, Path]], tmp_path: Path
) -> None:
    stores = preprocess(tmp_path / "store", tmp_path / "raw")
    dated = [[store.identity(keys) for store in stores] for keys in (["train/a"], [])]
    how = [CLASSES.detected_classes, Config(), TrainSettings().outcome(), ""]
    former = tmp_path / "trainings" / fingerprint([fingerprint(dated), *how])
    former.mkdir(parents=True)
    for _ in range(2):
        train_detector(*stores, tmp_path / "trainings", CLASSES, Config(), TrainSettings())
        assert jobs[-1][1].resolve() == former.resolve()
        touch(tmp_path / "raw")
        stores = preprocess(tmp_path / "store", tmp_path / "raw")
    shutil.rmtree(former)
    train_detector(*stores, tmp_path / "trainings", CLASSES, Config(), TrainSettings())
    assert not jobs[-1][1].is_symlink()
