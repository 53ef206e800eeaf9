"""Choices made for a trainer."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training import trainer as trainer_module
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import build_trainer


def test_a_gpu_asked_for_must_be_there(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_gpu = settings.model_copy(update={"accelerator": "gpu"})
    with pytest.raises(SettingsError, match=r"train\.accelerator is gpu, but PyTorch finds none"):
        build_trainer(on_gpu, tmp_path, "val/AP", [], scored=True)


@pytest.mark.parametrize(("devices", "synchronised"), [(1, False), (2, True)])
def test_batch_statistics_are_those_of_all_gpus(
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    devices: int,
    synchronised: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(trainer_module, "Trainer", lambda **options: options)
    on_gpus = settings.model_copy(
        update={"accelerator": "gpu", "devices": devices, "launcher": "torchrun"}
    )
    options: Any = inspect.unwrap(build_trainer)(on_gpus, tmp_path, "val/AP", [], scored=True)
    assert options["sync_batchnorm"] is synchronised
