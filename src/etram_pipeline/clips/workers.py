"""Number of processes that read clips; no torch, so that checks before a run can ask for it."""

import logging
import math
import shutil
from pathlib import Path

from etram_pipeline.core.machine import Workers, num_cores

logger = logging.getLogger(__name__)

PREFETCHED = 2
"""Batches that each process reads ahead."""

_MOST_WORKERS = 6
_SHARED_MEMORY = Path("/dev/shm")


def wanted_workers(workers: Workers, *, on_gpu: bool, num_sharing: int = 1) -> int:
    """Number of processes that read clips if memory allows: several for a GPU, none for a CPU.

    On a CPU, reading takes a fraction of the time of computing, and decompression releases the
    interpreter's lock. A thread is therefore enough; a process would occupy a core of its own.

    Args:
        workers: The setting; `auto`: as many as are useful.
        on_gpu: Whether the batches are for a GPU.
        num_sharing: Processes that train or detect on this machine at the same time.
    """
    if workers != "auto":
        return workers
    return max(min(num_cores() // num_sharing - 1, _MOST_WORKERS), 0) if on_gpu else 0


def num_workers(workers: Workers, batch_bytes: int, *, on_gpu: bool, num_sharing: int = 1) -> int:
    """Number of processes that read clips, limited by shared memory.

    Processes pass batches on in shared memory, which is small in many containers. If it ran out,
    the run would be killed without a message.

    Args:
        workers: The setting; `auto`: as many as are useful and fit into shared memory.
        batch_bytes: Size of a batch.
        on_gpu: Whether the batches are for a GPU.
        num_sharing: Processes that train or detect on this machine at the same time.
    """
    wanted = wanted_workers(workers, on_gpu=on_gpu, num_sharing=num_sharing)
    if workers != "auto" or not wanted or not _SHARED_MEMORY.exists():
        return wanted
    free = shutil.disk_usage(_SHARED_MEMORY).free
    fitting = max((free // (num_sharing * max(batch_bytes, 1)) - 1) // PREFETCHED, 0)
    if fitting >= wanted:
        return wanted
    logger.warning(
        "%s has %d MB free, which is enough for %d of %d workers that read clips; for faster "
        "reading, give the container more shared memory (docker run --shm-size=%dm)",
        _SHARED_MEMORY,
        free // 2**20,
        fitting,
        wanted,
        math.ceil((PREFETCHED * wanted + 1) * batch_bytes * num_sharing / 2**20),
    )
    return fitting
