"""What the hardware offers to those who compute with it."""

from typing import Literal

import torch

from etram_pipeline.core.machine import num_cores
from etram_pipeline.training.settings import Precision, Workers


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


def is_bfloat16_fast() -> bool:
    """Whether the CPU computes with bfloat16, and oneDNN is allowed to let it.

    Setting `ONEDNN_MAX_CPU_ISA=AVX2` in the environment makes it compute as a CPU that does not.
    """
    is_there = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return is_there and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def share_cores(workers: Workers) -> None:
    """Leave a core to each process that reads clips.

    Threads of one computation wait for each other, so one thread that has to share its core slows
    all of them. Where the environment asks for fewer threads still, it is heeded.
    """
    threads = num_cores() - (0 if workers == "auto" else workers)
    torch.set_num_threads(max(1, min(torch.get_num_threads(), threads)))
