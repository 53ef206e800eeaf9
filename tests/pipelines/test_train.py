"""The node that trains, without a training."""

import inspect
import os
import shutil
from pathlib import Path

import h5py
import pytest
import torch
from tests.preprocessing.recordings import DATASET, preprocess, write_recordings
from tests.training import conftest
from tests.training.test_launch import NAME, write_as_rvt

from etram_pipeline.core import etram
from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.core.fingerprint import fingerprint
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.models.detectors.rvt import Config
from etram_pipeline.models.teachers import teacher_of
from etram_pipeline.pipelines.train.nodes import train_detector
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.stores.settings import Profile
from etram_pipeline.training import launch
from etram_pipeline.training.checkpoints import BEST
from etram_pipeline.training.history import History
from etram_pipeline.training.settings import TrainSettings


@pytest.fixture
def jobs(monkeypatch: pytest.MonkeyPatch) -> list[tuple[launch.TrainingJob, Path]]:
    """What is asked to be trained, and where."""
    asked = []

    def run_job(job: launch.TrainingJob, work_dir: Path) -> Path:
        asked.append((job, work_dir))
        work_dir.mkdir(parents=True, exist_ok=True)
        History(work_dir).forget_after(0)
        state = {PAYLOAD_KEY: {"format": 1}, "state_dict": {}, "optimizer_states": [1]}
        torch.save(state, work_dir / BEST)
        return work_dir / BEST

    monkeypatch.setattr(launch, "run_job", run_job)
    return asked


def test_a_checkpoint_to_start_from_is_found_from_anywhere_and_the_detector_alone_is_given(
    jobs: list[tuple[launch.TrainingJob, Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.kedro]\n")
    checkpoint = tmp_path / "data" / "start.ckpt"
    for folder in (checkpoint.parent, tmp_path / "notebooks"):
        folder.mkdir()
    checkpoint.write_bytes(b"weights")
    write_as_rvt(tmp_path / "store", inspect.unwrap(conftest.record)()(1))
    stores = RepresentationStore(tmp_path / "store", NAME), LabelStore(tmp_path / "store")
    dataset = DatasetSettings(height=96, width=128, class_names=etram.CLASSES)
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


def test_a_result_saved_over_the_weights_it_started_from_does_not_start_another_training(
    jobs: list[tuple[launch.TrainingJob, Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_as_rvt(tmp_path / "store", inspect.unwrap(conftest.record)()(1))
    stores = RepresentationStore(tmp_path / "store", NAME), LabelStore(tmp_path / "store")
    dataset = DatasetSettings(height=96, width=128, class_names=etram.CLASSES)
    detector = tmp_path / "detector.ckpt"

    def train(seed: int = 0) -> tuple[bytes, Path]:
        """Train from the detector, save the result over it, and return what was started from."""
        settings = TrainSettings(start_from=str(detector), seed=seed)
        result, _ = train_detector(*stores, tmp_path / "trainings", dataset, Config(), settings)
        job, folder = jobs[-1]
        weights = Path(job.settings.start_from or "").read_bytes()
        shutil.copyfile(result, detector)
        return weights, folder

    detector.write_bytes(b"of frames")
    first = train()
    assert first[0] == b"of frames"
    assert detector.read_bytes() != b"of frames"
    assert not caplog.records
    with caplog.at_level("INFO"):
        assert train() == first
    assert f"{detector} holds the result of {first[1].name}, which started from" in caplog.text
    other, other_folder = train(seed=1)
    assert other == b"of frames"
    assert other_folder != first[1]
    assert train() == first
    detector.write_bytes(b"of elsewhere")
    weights, folder = train()
    assert weights == b"of elsewhere"
    assert folder not in {first[1], other_folder}
    assert train() == (weights, folder)


def test_a_training_is_known_by_the_content_of_its_teacher(
    jobs: list[tuple[launch.TrainingJob, Path]], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_as_rvt(tmp_path / "store", inspect.unwrap(conftest.record)()(1))
    stores = RepresentationStore(tmp_path / "store", NAME), LabelStore(tmp_path / "store")
    dataset = DatasetSettings(height=96, width=128, class_names=etram.CLASSES)

    def train(teacher: Path) -> tuple[bytes, Path, Path]:
        """Train with a teacher, and return what taught, the folder and the result."""
        task = {"kind": "distillation", "teacher": str(teacher)}
        config = Config.model_validate({"auxiliary": task})
        settings = TrainSettings()
        result, _ = train_detector(*stores, tmp_path / "trainings", dataset, config, settings)
        job, folder = jobs[-1]
        return Path(teacher_of(job.blueprint.detector) or "").read_bytes(), folder, result

    teacher, moved = tmp_path / "detector.ckpt", tmp_path / "moved.ckpt"
    teacher.write_bytes(b"of large frames")
    moved.write_bytes(b"of large frames")
    taught, folder, result = train(teacher)
    assert taught == b"of large frames"
    assert train(moved)[:2] == (taught, folder)
    shutil.copyfile(result, teacher)  # the run saves its own result over its teacher
    with caplog.at_level("INFO"):
        assert train(teacher) == (taught, folder, result)
    assert f"{teacher} holds the result of {folder.name}, which was taught by" in caplog.text
    teacher.write_bytes(b"of others")
    other, other_folder, _ = train(teacher)
    assert other == b"of others"
    assert other_folder != folder


def preprocessed(
    root: Path, profile: Profile = "archive"
) -> tuple[RepresentationStore, LabelStore]:
    """What is stored of three small recordings, brought up to date."""
    if not (root / "raw").exists():
        write_recordings(root / "raw")
    preprocess(root / "raw", root / "store", profile=profile)
    return RepresentationStore(root / "store"), LabelStore(root / "store")


def touch(folder: Path) -> None:
    for path in folder.rglob("*.*"):
        os.utime(path, ns=(0, path.stat().st_mtime_ns + 1_000_000_000))


def test_a_training_is_known_by_content_and_not_by_dates_or_compression(
    jobs: list[tuple[launch.TrainingJob, Path]], tmp_path: Path
) -> None:
    def train(profile: Profile = "archive") -> Path:
        stores = preprocessed(tmp_path, profile)
        train_detector(*stores, tmp_path / "trainings", DATASET, Config(), TrainSettings())
        return jobs[-1][1].resolve()

    first = train()
    images = next((tmp_path / "store").rglob("*.h5"))
    encoded = images.stat().st_mtime_ns
    touch(tmp_path / "raw")
    assert train() == first
    assert images.stat().st_mtime_ns == encoded
    assert train("training") == first
    assert images.stat().st_mtime_ns != encoded
    shutil.rmtree(tmp_path / "store")
    touch(tmp_path / "raw")
    assert train() == first
    with h5py.File(tmp_path / "raw/train/a_td.h5", "a") as file:
        file["events/x"][0] ^= 1
    assert train() != first


def test_a_training_of_a_former_version_goes_on_and_keeps_doing_so(
    jobs: list[tuple[launch.TrainingJob, Path]], tmp_path: Path
) -> None:
    stores = preprocessed(tmp_path)
    splits = ["train/a", "train/b"], ["val/c"]
    dated = [[store.identity(keys) for store in stores] for keys in splits]
    how = [DATASET.detected_classes, Config(), TrainSettings().outcome(), ""]
    former = tmp_path / "trainings" / fingerprint([fingerprint(dated), *how])
    former.mkdir(parents=True)
    for _ in range(2):
        train_detector(*stores, tmp_path / "trainings", DATASET, Config(), TrainSettings())
        assert jobs[-1][1].resolve() == former.resolve()
        touch(tmp_path / "raw")
        stores = preprocessed(tmp_path)
    shutil.rmtree(former)
    train_detector(*stores, tmp_path / "trainings", DATASET, Config(), TrainSettings())
    assert not jobs[-1][1].is_symlink()
