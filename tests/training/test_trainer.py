"""Choices made for a trainer."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.utilities import rank_zero_only

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training import trainer as trainer_module
from etram_pipeline.training.monitor import Monitor
from etram_pipeline.training.settings import TrainSettings
from etram_pipeline.training.trainer import build_trainer


def test_a_gpu_asked_for_must_be_there(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_gpu = settings.model_copy(update={"accelerator": "gpu"})
    with pytest.raises(SettingsError, match=r"train\.accelerator is gpu, but PyTorch finds no GPU"):
        build_trainer(on_gpu, tmp_path, Monitor("val/AP"), [], scored=True)


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
    options: Any = inspect.unwrap(build_trainer)(
        on_gpus, tmp_path, Monitor("val/AP"), [], scored=True
    )
    assert options["sync_batchnorm"] is synchronised


@pytest.mark.parametrize(
    "variables",
    [
        {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "x", "SLURM_NTASKS": "4"},
        {
            "SLURM_JOB_ID": "1",
            "SLURM_JOB_NAME": "x",
            "SLURM_NTASKS": "8",
            "SLURM_NTASKS_PER_NODE": "4",
            "SLURM_NNODES": "2",
            "SLURM_PROCID": "3",
        },
        {"SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "bash", "SLURM_NTASKS": "2", "SLURM_PROCID": "1"},
        {
            "RANK": "3",
            "WORLD_SIZE": "4",
            "LOCAL_RANK": "3",
            "GROUP_RANK": "0",
            "MASTER_ADDR": "nowhere.invalid",
            "MASTER_PORT": "1",
            "LOCAL_WORLD_SIZE": "4",
            "TORCHELASTIC_RUN_ID": "none",
        },
        {
            "LSB_JOBID": "1",
            "LSB_HOSTS": "a b",
            "LSB_MCPU_HOSTS": "a 1 b 1",
            "JSM_NAMESPACE_LOCAL_RANK": "1",
            "JSM_NAMESPACE_SIZE": "2",
            "LSB_DJOB_RANKFILE": "/nowhere",
        },
        {"KUBERNETES_PORT": "1", "MASTER_ADDR": "a", "MASTER_PORT": "1", "WORLD_SIZE": "2"},
        {"OMPI_COMM_WORLD_RANK": "1", "OMPI_COMM_WORLD_SIZE": "2", "PMI_RANK": "1"},
        {"NODE_RANK": "1"},
    ],
    ids=["slurm", "slurm nodes", "srun bash", "torchrun", "lsf", "kubeflow", "mpi", "node"],
)
def test_one_process_trains_alone_whatever_a_scheduler_left_behind(
    settings: TrainSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variables: dict[str, str],
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(rank_zero_only, "rank", 3)
    trainer = build_trainer(settings, tmp_path, Monitor("val/AP"), [], scored=True)
    assert (trainer.world_size, trainer.global_rank, trainer.num_nodes) == (1, 0, 1)
    assert trainer.is_global_zero
    assert getattr(rank_zero_only, "rank") == 0  # noqa: B009
