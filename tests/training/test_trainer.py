"""Choices made for a trainer."""

import inspect
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.utilities import rank_zero_only

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.training import trainer as trainer_module
from etram_pipeline.training.settings import Precision, TrainSettings, Workers
from etram_pipeline.training.trainer import build_trainer, resolve_precision, share_cores


@pytest.mark.parametrize("precision", ["32", "bf16-mixed", "16-mixed"])
def test_a_precision_asked_for_is_taken(precision: Precision) -> None:
    assert resolve_precision(precision, on_gpu=False) == precision


def test_without_a_choice_the_hardware_decides() -> None:
    fast = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    assert resolve_precision("auto", on_gpu=False) == ("bf16-mixed" if fast else "32")


@pytest.mark.parametrize(("is_native", "expected"), [(True, "bf16-mixed"), (False, "16-mixed")])
def test_a_gpu_that_only_emulates_bfloat16_computes_in_float16(
    monkeypatch: pytest.MonkeyPatch,
    is_native: bool,  # noqa: FBT001
    expected: str,
) -> None:
    def supports_bfloat16(including_emulation: bool = True) -> bool:  # noqa: FBT001, FBT002
        return is_native or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supports_bfloat16)
    assert resolve_precision("auto", on_gpu=True) == expected


def test_a_gpu_asked_for_must_be_there(
    settings: TrainSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    on_gpu = settings.model_copy(update={"accelerator": "gpu"})
    with pytest.raises(SettingsError, match=r"train\.accelerator is gpu, but PyTorch finds none"):
        build_trainer(on_gpu, tmp_path, "val/AP", [], scored=True)


@pytest.mark.parametrize(
    ("threads", "cores", "workers", "expected"),
    [(8, 2, 0, 2), (8, 2, 1, 1), (8, 2, "auto", 1), (8, 2, 6, 1), (8, 16, 1, 8), (1, 2, 0, 1)],
)
def test_computing_leaves_a_core_to_each_worker(
    monkeypatch: pytest.MonkeyPatch, threads: int, cores: int, workers: Workers, expected: int
) -> None:
    monkeypatch.setattr("etram_pipeline.training.trainer.num_cores", lambda: cores)
    torch.set_num_threads(threads)
    share_cores(workers)
    assert torch.get_num_threads() == expected


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
    trainer = build_trainer(settings, tmp_path, "val/AP", [], scored=True)
    assert (trainer.world_size, trainer.global_rank, trainer.num_nodes) == (1, 0, 1)
    assert trainer.is_global_zero
    assert getattr(rank_zero_only, "rank") == 0  # noqa: B009
