"""Batches of clips, read in the background while earlier ones are used."""

import signal
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from types import FrameType

from torch.utils.data import DataLoader, Sampler
from typing_extensions import override

from etram_pipeline.clips.collate import collate
from etram_pipeline.clips.dataset import ClipDataset, Sample
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.schedule import Clip, Step
from etram_pipeline.clips.workers import PREFETCHED
from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.core.prefetch import prefetch

_WORKER_GRACE_S = 20


class Loader:
    """Batches in the order of a schedule; the next batches are read while one is used."""

    def __init__(self, loader: "DataLoader[Sample | None]") -> None:
        self._loader = loader

    def __iter__(self) -> Iterator[SequenceBatch]:
        batches = iter(self._loader)
        # Worker processes read ahead by themselves.
        return batches if self._loader.num_workers else prefetch(batches, PREFETCHED)

    def __len__(self) -> int:
        return len(self._loader)


class ScheduleSampler(Sampler["list[Clip | None]"]):
    """Gives a data loader the steps of a schedule; one step is one batch."""

    def __init__(
        self, schedule: Callable[[], Iterator[Step]], num_steps: int, first_step: int = 0
    ) -> None:
        """Follow a schedule.

        Args:
            schedule: Makes the steps from the first one on.
            num_steps: Steps in all.
            first_step: Steps that are already done and are left out.
        """
        self._schedule = schedule
        self._num_steps = num_steps
        self._first_step = first_step

    @override
    def __iter__(self) -> "Iterator[list[Clip | None]]":
        return map(list, islice(self._schedule(), self._first_step, self._num_steps))

    def __len__(self) -> int:
        return self._num_steps


def clip_loader(
    dataset: ClipDataset, sampler: ScheduleSampler, workers: int, *, pin_memory: bool = False
) -> Loader:
    """Batches in the order of the schedule, for any number of workers.

    Args:
        dataset: Clips to read.
        sampler: The order in which they are read.
        workers: Processes that read; with 0, a thread of this process reads.
        pin_memory: Put batches into memory from which a GPU copies while it computes.
    """
    workers = min(workers, len(sampler) - 1)  # reading one batch is faster than starting a process
    loader = DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=max(workers, 0),
        prefetch_factor=PREFETCHED if workers > 0 else None,
        worker_init_fn=outlive_signals,
        pin_memory=pin_memory,
    )
    return Loader(loader)


def window_bytes(representations: Mapping[str, WindowRepresentations]) -> int:
    """Size of the largest window at one byte per value; 0 without recordings."""
    sizes = (stored.channels * stored.height * stored.width for stored in representations.values())
    return max(sizes, default=0)


def outlive_signals(_worker: int = 0) -> None:
    """Let a process that reads clips go on after a signal, until the training ends.

    Ctrl-C reaches all processes of a terminal, and SLURM's SIGTERM all processes of a job. Without
    its readers, the training could not finish its step.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _end_later)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _end_later(_number: int, _frame: FrameType | None) -> None:
    signal.alarm(_WORKER_GRACE_S)
