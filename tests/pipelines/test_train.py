"""The node that trains, without a training."""

import inspect
from pathlib import Path

import pytest
import torch
from tests.training import conftest
from tests.training.test_launch import NAME, write_as_rvt

from etram_pipeline.core.dataset import DatasetSettings
from etram_pipeline.labels.label_sets import CLASS_NAMES, EIGHT
from etram_pipeline.models.checkpoint import PAYLOAD_KEY
from etram_pipeline.models.detectors.rvt import Config
from etram_pipeline.pipelines.train.nodes import train_detector
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
