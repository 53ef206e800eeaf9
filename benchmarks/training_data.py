"""Time that training spends waiting for clips from a store."""

import argparse
import time
from functools import partial

import torch
from benchmarks.training_step import NUM_CLASSES, WARM_UP, read_preset, synchronize

from etram_pipeline.clips.augmentation import Augmentation
from etram_pipeline.clips.dataset import ClipDataset
from etram_pipeline.clips.loading import Loader, ScheduleSampler, clip_loader, window_bytes
from etram_pipeline.clips.schedule import Lanes, training_schedule
from etram_pipeline.clips.workers import num_workers
from etram_pipeline.inference.predict import arithmetic
from etram_pipeline.models.detector import State, total_loss
from etram_pipeline.models.hardware import resolve_precision, set_thread_counts
from etram_pipeline.stores.label_store import LabelStore
from etram_pipeline.stores.representation_store import RepresentationStore
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.optimizer import build_optimizer
from etram_pipeline.training.settings import TrainSettings


def share_of_waiting(arguments: argparse.Namespace) -> float:
    """Train on the recordings of `arguments.store` as `fit` does; the share of time spent waiting.

    The first size and clip length that the arguments name are measured.
    """
    settings = TrainSettings(lanes=arguments.lanes, clip_length=arguments.windows[0])
    on_gpu = arguments.device != "cpu"
    stored = RepresentationStore(arguments.store), LabelStore(arguments.store)
    recordings = LabelledRecordings.choose(*stored, stored[0])
    set_thread_counts(settings.workers, settings.lanes)
    torch.manual_seed(0)
    channels = next(iter(recordings.frames.values())).channels
    recordings.check_classes(NUM_CLASSES)
    detector = read_preset(arguments.sizes[0]).build(channels, NUM_CLASSES)
    detector = detector.to(arguments.device).train()
    optimizer, _ = build_optimizer(detector, settings.optimizer, max_steps=1000)
    precision = resolve_precision("auto", on_gpu=on_gpu)
    clips = iter(make_loader(recordings, settings, WARM_UP + arguments.steps, on_gpu=on_gpu))
    state: State = ()
    waited, began = 0.0, time.perf_counter()
    for step in range(WARM_UP + arguments.steps):
        if step == WARM_UP:
            synchronize(arguments.device)
            waited, began = 0.0, time.perf_counter()
        asked = time.perf_counter()
        batch = next(clips)
        waited += time.perf_counter() - asked
        with arithmetic(torch.device(arguments.device), precision):
            before = tuple(memory.detach() for memory in state)
            losses, state = detector.losses(batch.to(arguments.device), before)
        total_loss(losses).backward()
        optimizer.step()
        optimizer.zero_grad()
        # On a GPU the host runs ahead: it has waited in vain if the device still computes.
        synchronize(arguments.device)
    return waited / (time.perf_counter() - began)


def make_loader(
    recordings: LabelledRecordings, settings: TrainSettings, num_steps: int, *, on_gpu: bool
) -> Loader:
    """The loader of a training."""
    windows = {name: stored.frame_windows for name, stored in recordings.frames.items()}
    schedule = partial(
        training_schedule,
        windows,
        settings.sampling,
        Lanes(settings.lanes),
        settings.clip_length,
        settings.seed,
    )
    augmentation = Augmentation(
        {"stream": settings.stream_augmentation, "random": settings.random_augmentation},
        settings.seed,
    )
    dataset = ClipDataset(recordings.frames, recordings.labels, augmentation)
    batch_bytes = settings.lanes * settings.clip_length * window_bytes(recordings.frames)
    workers = num_workers(settings.workers, batch_bytes, on_gpu=on_gpu)
    sampler = ScheduleSampler(schedule, num_steps)
    return clip_loader(dataset, sampler, workers, pin_memory=on_gpu)
