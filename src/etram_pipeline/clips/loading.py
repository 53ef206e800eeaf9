"""Batches of clips, read in the background while the last ones are used."""

import logging
import math
import shutil
import signal
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import FrameType

from torch.utils.data import DataLoader

from etram_pipeline.clips.collate import collate
from etram_pipeline.clips.dataset import ClipDataset, Sample, ScheduleSampler, WindowRepresentations
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.machine import Workers, wanted_workers
from etram_pipeline.core.prefetch import prefetch

logger = logging.getLogger(__name__)

_PREFETCHED = 2
_SHARED_MEMORY = Path("/dev/shm")
_WORKER_GRACE_S = 20


class Loader:
    """Batches in the order of a schedule, the next ones of which are read while one is used."""

    def __init__(self, loader: "DataLoader[Sample | None]") -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[SequenceBatch]:
        batches = iter(self._loader)
        # Worker processes read ahead by themselves.
        return batches if self._loader.num_workers else prefetch(batches, _PREFETCHED)

    def __len__(self) -> int:
        return len(self._loader)


def clip_loader(
    dataset: ClipDataset, sampler: ScheduleSampler, workers: int, *, pin_memory: bool = False
) -> Loader:
    """Batches in the order of the schedule, whatever the number of workers.

    Args:
        dataset: What to read from.
        sampler: What to read.
        workers: Processes that read; 0: a thread of this process does.
        pin_memory: Hand batches over in memory from which a GPU copies while it computes.
    """
    workers = min(workers, len(sampler) - 1)  # one batch is read faster than a process starts
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=max(workers, 0),
        prefetch_factor=_PREFETCHED if workers > 0 else None,
        worker_init_fn=outlive_signals,
        pin_memory=pin_memory,
    )
    return Loader(loader)


def window_bytes(frames: Mapping[str, WindowRepresentations]) -> int:
    """Size of the largest representation, at one byte a value; 0 if there are none."""
    sizes = (stored.channels * stored.height * stored.width for stored in frames.values())
    return max(sizes, default=0)


def num_workers(workers: Workers, batch_bytes: int, *, on_gpu: bool, num_sharing: int = 1) -> int:
    """Processes that read clips: as many as are wanted and find memory.

    Processes hand batches over in shared memory, of which containers often have little; without
    enough of it, the training would be killed without a message.

    Args:
        workers: How many are asked for; `auto`: as many as make sense and find memory.
        batch_bytes: Size of a batch.
        on_gpu: Whether they feed a GPU.
        num_sharing: Trainings or detections that share this machine's cores and memory.
    """
    wanted = wanted_workers(workers, on_gpu=on_gpu, num_sharing=num_sharing)
    if workers != "auto" or not wanted or not _SHARED_MEMORY.exists():
        return wanted
    free = shutil.disk_usage(_SHARED_MEMORY).free
    fitting = max((free // (num_sharing * max(batch_bytes, 1)) - 1) // _PREFETCHED, 0)
    if fitting >= wanted:
        return wanted
    logger.warning(
        "%s has %d MB left, enough for %d of %d workers that read clips, which is slower; give the "
        "container more (docker run --shm-size=%dm)",
        _SHARED_MEMORY,
        free // 2**20,
        fitting,
        wanted,
        math.ceil((_PREFETCHED * wanted + 1) * batch_bytes * num_sharing / 2**20),
    )
    return fitting


def outlive_signals(_worker: int = 0) -> None:
    """In a process that reads clips: keep reading after a signal, until the training ends.

    Ctrl-C reaches all processes of a terminal, and SLURM's SIGTERM all of a job; without the
    readers, the training could not finish its step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)


def _end_later(_number: int, _frame: FrameType | None) -> None:
    signal.alarm(_WORKER_GRACE_S)
