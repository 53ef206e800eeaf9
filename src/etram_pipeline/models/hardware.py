"""Selection of precision and number of threads for the hardware."""

from typing import Literal

import torch

from etram_pipeline.core.errors import SettingsError
from etram_pipeline.core.machine import Workers, num_cores
from etram_pipeline.models.execution import Precision
from etram_pipeline.models.lanes import cores_in_use, use_cores


def resolve_precision(
    precision: Precision, *, on_gpu: bool
) -> Literal["32", "bf16-mixed", "16-mixed"]:
    """The precision that `auto` selects: bfloat16 where the hardware supports it."""
    if precision != "auto":
        return precision
    if on_gpu:
        is_native = torch.cuda.is_bf16_supported(including_emulation=False)
        return "bf16-mixed" if is_native else "16-mixed"
    return "bf16-mixed" if is_bfloat16_fast() else "32"


def check_gpu(name: str, value: str) -> None:
    """Check that the GPU named by a setting exists.

    Args:
        name: Name of the setting.
        value: Its value, such as `cuda` or `cuda:1`.

    Raises:
        SettingsError: If the GPU does not exist.
    """
    _, _, number = value.partition(":")
    if not torch.cuda.is_available():
        raise SettingsError(
            f"{name} is {value}, but PyTorch finds no GPU it can use; install a driver that "
            f"supports PyTorch {torch.__version__}, or set {name}=auto"
        )
    if number and int(number) >= torch.cuda.device_count():
        raise SettingsError(
            f"{name} is {value}, but PyTorch finds {torch.cuda.device_count()} GPUs, counted from 0"
        )


def is_bfloat16_fast() -> bool:
    """Whether the CPU has bfloat16 instructions and oneDNN may use them.

    `ONEDNN_MAX_CPU_ISA=AVX2` in the environment disables them.
    """
    is_there = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return is_there and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def set_thread_counts(workers: Workers, lanes: int = 1) -> None:
    """Reserve a core for each process that reads clips, and use the others for the detector.

    The threads of one operation wait for each other, so a thread that shares its core slows down
    all others, and waking threads takes longer than most operations of a small detector. With
    enough lanes, every operation therefore uses one thread, and the lanes are spread over all
    cores. A lower number of threads in the environment, such as `OMP_NUM_THREADS`, is respected.

    Args:
        workers: Number of processes that read clips.
        lanes: Number of lanes that the detector computes separately; 1 if it computes them
            together.
    """
    threads = max(1, min(cores_in_use(), num_cores() - (0 if workers == "auto" else workers)))
    by_lane = 1 < threads <= lanes
    use_cores(threads if by_lane else 0)
    torch.set_num_threads(1 if by_lane else threads)
