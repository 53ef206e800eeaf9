"""Precision and threads that suit the hardware."""

from typing import Literal

import torch

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.machine import Workers, num_cores
from etram_pipeline.models.execution import Precision
from etram_pipeline.models.lanes import cores_in_use, use_cores


def resolve_precision(
    precision: Precision, *, on_gpu: bool
) -> Literal["32", "bf16-mixed", "16-mixed"]:
    """What `auto` stands for: bfloat16 where the hardware computes with it."""
    if precision != "auto":
        return precision
    if on_gpu:
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if is_native else "16-mixed"
    return "bf16-mixed" if is_bfloat16_fast() else "32"


def check_gpu(name: str, value: str) -> None:
    """See that there is the GPU that a setting asks for.

    Raises:
        SettingsError: If there is none.
    """
    _, _, number = value.partition(":")
    if not torch.cuda.is_available():
        raise SettingsError(
            f"{name} is {value}, but PyTorch finds no GPU it can use; install a driver that fits "
            f"PyTorch {torch.__version__}, or set {name}=auto"
        )
    if number and int(number) >= torch.cuda.device_count():
        raise SettingsError(
            f"{name} is {value}, but PyTorch finds {torch.cuda.device_count()} GPUs, counted from 0"
        )


def is_bfloat16_fast() -> bool:
    """Whether the CPU computes with bfloat16, and oneDNN is allowed to let it.

    Setting `ONEDNN_MAX_CPU_ISA=AVX2` in the environment makes it compute as a CPU that does not.
    """
    is_there = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return is_there and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def set_thread_counts(workers: Workers, lanes: int = 1) -> None:
    """Leave a core to each process that reads clips, and have lanes share the others.

    Threads of one operation wait for each other, so one that has to share its core slows all of
    them, and waking them takes longer than most operations of a small detector. Where there are
    lanes enough, every operation therefore has one thread, and the lanes have all cores. A lower
    number of threads in the environment, such as `OMP_NUM_THREADS`, is respected.

    Args:
        workers: Processes that read clips.
        lanes: Lanes that the detector computes apart from each other; 1 if it does not.
    """
    threads = max(1, min(cores_in_use(), num_cores() - (0 if workers == "auto" else workers)))
    by_lane = 1 < threads <= lanes
    use_cores(threads if by_lane else 0)
    torch.set_num_threads(1 if by_lane else threads)
