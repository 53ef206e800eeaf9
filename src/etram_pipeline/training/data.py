"""What is read at which stage of a training."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial

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
from etram_pipeline.training.settings import TrainSettings, Workers

Loader = DataLoader[Sample | None]


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
        return clip_loader(dataset, sampler, settings.workers, on_gpu=self._on_gpu)

    @override
    def val_dataloader(self) -> Loader:
        frames, length = self._val.frames, self._settings.clip_length
        lanes = self._lanes(self._settings.validation.lanes)
        spans = {
            name: labelled_span(stored.frame_windows, stored.num_windows, length)
            for name, stored in frames.items()
        }
        # A device that no recording is left for reads them all: the others wait for its tables.
        steps = whole_schedule(spans, lanes, length) or whole_schedule(
            spans, Lanes(lanes.count), length
        )
        sampler = ScheduleSampler(partial(iter, steps), len(steps))
        return clip_loader(
            ClipDataset(frames), sampler, self._settings.workers, on_gpu=self._on_gpu
        )

    @override
    def state_dict(self) -> dict[str, int]:
        return {"batches_done": self.trainer.fit_loop.total_batch_idx + 1 if self.trainer else 0}

    @override
    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self._batches_done = state_dict["batches_done"]

    def _training_steps(self) -> Iterator[Step]:
        settings = self._settings
        windows = {name: stored.frame_windows for name, stored in self._train.frames.items()}
        lanes = self._lanes(settings.lanes)
        return training_schedule(
            windows, settings.sampling, lanes, settings.clip_length, settings.seed
        )

    def _lanes(self, count: int) -> Lanes:
        if self.trainer is None:
            return Lanes(count)
        return Lanes(count, self.trainer.global_rank, self.trainer.world_size)

    @property
    def _on_gpu(self) -> bool:
        return self.trainer is not None and self.trainer.strategy.root_device.type == "cuda"


def clip_loader(
    dataset: ClipDataset, sampler: ScheduleSampler, workers: Workers, *, on_gpu: bool
) -> Loader:
    """Loader of batches in the order of the schedule, whatever the number of workers."""
    return DataLoader(
        dataset,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=min(num_workers(workers, on_gpu=on_gpu), len(sampler)),
    )


def num_workers(workers: Workers, *, on_gpu: bool) -> int:
    """Processes that read clips: one beside a busy CPU, several to feed a GPU."""
    if workers != "auto":
        return workers
    spare = num_cores() - 1
    return min(spare, 6 if on_gpu else 1)
