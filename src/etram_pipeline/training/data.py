"""Recordings, schedules and loaders of a training."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from jaxtyping import Integer
from pytorch_lightning import LightningDataModule
from typing_extensions import override

from etram_pipeline.clips.augmentation import Augmentation
from etram_pipeline.clips.dataset import ClipDataset
from etram_pipeline.clips.loading import Loader, ScheduleSampler, clip_loader, window_bytes
from etram_pipeline.clips.repetition import FrameFactors
from etram_pipeline.clips.representations import WindowRepresentations
from etram_pipeline.clips.schedule import (
    Lanes,
    Step,
    labelled_span,
    training_schedule,
    whole_schedule,
)
from etram_pipeline.clips.sizes import choose, interleaved, names_by_size, windows_to_stream
from etram_pipeline.clips.workers import num_workers
from etram_pipeline.core.errors import LabelError
from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.statistics import ClassCounts, count_classes
from etram_pipeline.labels.table import has_track_ids
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.training.settings import TrainSettings


@dataclass(frozen=True)
class LabelledRecordings:
    """Recordings to learn from or to be scored on.

    Attributes:
        frames: Representations by recording.
        labels: Ground truth of the same recordings.
    """

    frames: Mapping[str, WindowRepresentations]
    labels: Mapping[str, LabelledFrames]

    @classmethod
    def choose(
        cls,
        frames: Mapping[str, WindowRepresentations],
        labels: Mapping[str, LabelledFrames],
        keys: Iterable[str],
    ) -> "LabelledRecordings":
        """The recordings of `keys` that have both representations and labels."""
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

    def count_classes(self, num_classes: int) -> ClassCounts:
        """Boxes and labelled frames of each class."""
        return count_classes((self.labels[name] for name in self.frames), num_classes)

    def clips(self, length: int) -> TrainingClips:
        """What clips of `length` windows hold."""
        gaps = np.concatenate([np.diff(stored.frame_windows) for stored in self.frames.values()])
        encoding = next(iter(self.frames.values())).encoding
        return TrainingClips(
            length,
            None if encoding is None else encoding.representation,
            label_gap=int(gaps.min()) if len(gaps) else None,
            has_tracks=any(has_track_ids(self.labels[name].labels) for name in self.frames),
        )

    def classes_by_frame(self) -> dict[str, list[Integer[np.ndarray, " _"]]]:
        """Class of each box, by labelled frame of each recording."""
        return {
            name: np.split(labels.labels["class_id"], labels.first_label[1:])
            for name, labels in self.labels.items()
        }


class ClipData(LightningDataModule):
    """Schedules and loaders, which continue from the position in a checkpoint."""

    __qualname__ = "ClipData"  # the name in checkpoints, which stays when the class is renamed

    def __init__(
        self,
        train: LabelledRecordings,
        val: LabelledRecordings,
        settings: TrainSettings,
        factors: FrameFactors | None = None,
    ) -> None:
        """Read `train` and `val`; `factors` are needed for `sampling.repeat_threshold`."""
        super().__init__()
        self._train = train
        self._val = val
        self._settings = settings
        self._factors = factors
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
        steps = [
            step
            for names in names_by_size(self._val.frames)
            for step in whole_schedule(choose(spans, names), lanes, length)
        ]
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

        def steps_of(names: tuple[str, ...]) -> Iterator[Step]:
            return training_schedule(
                choose(windows, names), settings.sampling, lanes, length, settings.seed, factors
            )

        factors = self._factors
        groups = names_by_size(self._train.frames)
        shares = [windows_to_stream(choose(windows, names), length, factors) for names in groups]
        if sum(shares) == 0 or len(groups) == 1:
            return steps_of(tuple(windows))
        labelled = [(names, share) for names, share in zip(groups, shares, strict=True) if share]
        return interleaved([steps_of(names) for names, _ in labelled], [s for _, s in labelled])

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
