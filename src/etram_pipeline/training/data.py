"""What is read at which stage of a training."""

import logging
import math
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Integer
from pytorch_lightning import LightningDataModule
from torch.utils.data import DataLoader
from typing_extensions import override

from etram_pipeline.core.errors import LabelError
from etram_pipeline.core.machine import num_cores
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.sequences.collate import collate
from etram_pipeline.sequences.dataset import (
    Augmentation,
    ClipDataset,
    Sample,
    ScheduleSampler,
    WindowFrames,
)
from etram_pipeline.sequences.schedule import (
    Lanes,
    Step,
    labelled_span,
    training_schedule,
    whole_schedule,
)
from etram_pipeline.training.interruption import outlive_signals
from etram_pipeline.training.settings import TrainSettings, Workers

logger = logging.getLogger(__name__)

Loader = DataLoader[Sample | None]

_PREFETCHED = 2
_SHARED_MEMORY = Path("/dev/shm")


@dataclass(frozen=True)
class LabelledRecordings:
    """Recordings to learn from or to be scored on.

    Attributes:
        frames: Representations by recording.
        labels: Ground truth of the same recordings.
    """

    frames: Mapping[str, WindowFrames]
    labels: Mapping[str, LabelledFrames]

    @classmethod
    def choose(
        cls,
        frames: Mapping[str, WindowFrames],
        labels: Mapping[str, LabelledFrames],
        keys: Iterable[str],
    ) -> "LabelledRecordings":
        """Those of `keys` that have both representations and labels."""
        keys = [key for key in keys if key in frames and key in labels]
        return cls({key: frames[key] for key in keys}, {key: labels[key] for key in keys})

    def check_classes(self, num_classes: int) -> None:
        """Refuse boxes of classes that do not exist.

        Raises:
            LabelError: If a class id is not below `num_classes`; names the recording.
        """
        for name in self.frames:
            ids = self.labels[name].labels["class_id"]
            if len(ids) and ids.max() >= num_classes:
                raise LabelError(
                    f"{name} has boxes of class {ids.max()}, but there are {num_classes} classes; "
                    "name it in dataset.class_names, or drop it with a label filter"
                )

    def count_classes(self, num_classes: int) -> tuple[int, ...]:
        """Boxes of each class."""
        counts = np.zeros(num_classes, np.int64)
        for name in self.frames:
            counts += np.bincount(self.labels[name].labels["class_id"], minlength=num_classes)
        return tuple(counts.tolist())

    def classes_by_frame(self) -> dict[str, list[Integer[np.ndarray, " _"]]]:
        """Class of each box, by labelled frame of each recording."""
        return {
            name: np.split(labels.labels["class_id"], labels.first_label[1:])
            for name, labels in self.labels.items()
        }


class ClipData(LightningDataModule):
    """Schedules and loaders; continues where a checkpoint was saved."""

    def __init__(
        self, train: LabelledRecordings, val: LabelledRecordings, settings: TrainSettings
    ) -> None:
        super().__init__()
        self._train = train
        self._val = val
        self._settings = settings
        self._batches_done = 0

    @override
    def train_dataloader(self) -> Loader:
        settings = self._settings
        augmentation = Augmentation(
            {"stream": settings.stream_augmentation, "random": settings.random_augmentation},
            settings.seed,
        )
        dataset = ClipDataset(self._train.frames, self._train.labels, augmentation)
        sampler = ScheduleSampler(
            self._training_steps,
            num_steps=settings.max_steps * settings.optimizer.accumulate,
            first_step=self._batches_done,
        )
        workers = self._workers(self._train, settings.lanes)
        return clip_loader(dataset, sampler, workers, pin_memory=self._is_on_gpu)

    @override
    def val_dataloader(self) -> Loader:
        frames = self._val.frames
        lanes = self._lanes(self._settings.validation.lanes)
        share = max(len(frames) // lanes.num_ranks, 1)  # more would leave a device without any
        lanes = replace(lanes, count=min(lanes.count, share))
        steps = self._validation_steps(lanes)
        sampler = ScheduleSampler(partial(iter, steps), len(steps))
        workers = self._workers(self._val, lanes.count)
        return clip_loader(ClipDataset(frames), sampler, workers, pin_memory=self._is_on_gpu)

    @override
    def state_dict(self) -> dict[str, int]:
        return {"batches_done": self.trainer.fit_loop.total_batch_idx + 1 if self.trainer else 0}

    @override
    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._batches_done = state_dict["batches_done"]

    def _validation_steps(self, lanes: Lanes) -> list[Step]:
        length = self._settings.clip_length
        spans = {
            name: labelled_span(stored.frame_windows, stored.num_windows, length)
            for name, stored in self._val.frames.items()
        }
        steps = whole_schedule(spans, lanes, length)
        if not steps and any(spans.values()):
            # The others wait for what every device has seen: one without a recording sees the
            # shortest once more.
            shortest = min(filter(spans.__getitem__, spans), key=lambda name: len(spans[name]))
            steps = whole_schedule({shortest: spans[shortest]}, Lanes(1), length)
        return steps

    def _training_steps(self) -> Iterator[Step]:
        settings = self._settings
        windows = {name: stored.frame_windows for name, stored in self._train.frames.items()}
        lanes, length = self._lanes(settings.lanes), settings.clip_length
        repeats = settings.sampling.repeat_threshold is not None
        classes = self._train.classes_by_frame() if repeats else None
        return training_schedule(windows, settings.sampling, lanes, length, settings.seed, classes)

    def _lanes(self, count: int) -> Lanes:
        if self.trainer is None:
            return Lanes(count)
        return Lanes(count, self.trainer.global_rank, self.trainer.world_size)

    def _workers(self, recordings: LabelledRecordings, lanes: int) -> int:
        batch_bytes = lanes * self._settings.clip_length * window_bytes(recordings.frames)
        return num_workers(
            self._settings.workers,
            batch_bytes,
            on_gpu=self._is_on_gpu,
            num_sharing=self._settings.devices,
        )

    @property
    def _is_on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"


def clip_loader(
    dataset: ClipDataset, sampler: ScheduleSampler, workers: int, *, pin_memory: bool = False
) -> Loader:
    """Loader of batches in the order of the schedule, whatever the number of workers.

    Args:
        dataset: What to read from.
        sampler: What to read.
        workers: Processes that read; 0: read while the caller waits.
        pin_memory: Hand batches over in memory from which a GPU copies while it computes.
    """
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=min(workers, len(sampler)),
        prefetch_factor=_PREFETCHED if workers and len(sampler) else None,
        worker_init_fn=outlive_signals,
        pin_memory=pin_memory,
    )


def window_bytes(frames: Mapping[str, WindowFrames]) -> int:
    """Size of one representation, at one byte a value; 0 if there are none."""
    sizes = (stored.channels * stored.height * stored.width for stored in frames.values())
    return next(sizes, 0)


def num_workers(workers: Workers, batch_bytes: int, *, on_gpu: bool, num_sharing: int = 1) -> int:
    """Processes that read clips: one beside a busy CPU, several to feed a GPU.

    They hand batches over in shared memory, of which containers often have little; running out of
    it would end the training without a word.

    Args:
        workers: How many are asked for; `auto`: as many as make sense and find memory.
        batch_bytes: Size of a batch.
        on_gpu: Whether they feed a GPU.
        num_sharing: Trainings or detections that share this machine's cores and memory.
    """
    if workers != "auto":
        return workers
    wanted = max(min(num_cores() // num_sharing - 1, 6 if on_gpu else 1), 0)
    if not wanted or not _SHARED_MEMORY.exists():
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
