"""Can a detector learn four frames of one clip by heart?"""

from collections.abc import Callable, Iterable, Mapping
from functools import cache

import numpy as np
import torch
from torch import nn
from torch.optim import Optimizer

from etram_pipeline.clips.detections import DetectionCollector
from etram_pipeline.core import etram
from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.boxes import xywh_to_xyxy
from etram_pipeline.core.recording import Events
from etram_pipeline.evaluation import evaluate
from etram_pipeline.events.representations import stacked_histogram
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.models.detector import Detector, total_loss
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.scene.scene import simulate
from etram_pipeline.scene.settings import SceneSettings

NUM_FRAMES = 4
NUM_CHANNELS = 10
WINDOW_US = 50_000
RECORDING = "street"

CLASSES = {"pedestrian": 0, "car": 1, "bus": 2}
"""The classes of the clip, which are easy to tell apart, and their ids."""


@cache
def clip(height: int, width: int) -> tuple[SequenceBatch, LabelTable]:
    """Four consecutive windows of the embedded scene, all of them labelled, and their labels."""
    scene = SceneSettings(
        height=height,
        width=width,
        duration_s=NUM_FRAMES * WINDOW_US / 1e6,
        min_side_px=20,
        class_weights={name: float(name in CLASSES) for name in etram.CLASSES},
    )
    events, labels = simulate(scene, seed=0)
    stops_us = [WINDOW_US * (number + 1) for number in range(NUM_FRAMES)]
    labels = labels[np.isin(labels["t"], stops_us)]
    labels["class_id"] = [CLASSES[etram.CLASSES[class_id]] for class_id in labels["class_id"]]
    draw = stacked_histogram.Config(bins=NUM_CHANNELS // 2, downsample=None).build(height, width)
    frames = np.stack([draw(_between(events, stop - WINDOW_US, stop)) for stop in stops_us])
    batch = SequenceBatch(
        frames=torch.from_numpy(frames[:, None]),
        starts=torch.tensor([True]),
        keyframes=torch.tensor([[window, 0] for window in range(NUM_FRAMES)]),
        targets=tuple(_targets(labels[labels["t"] == stop]) for stop in stops_us),
        recordings=(RECORDING,),
        times_us=torch.tensor(stops_us)[:, None],
    )
    return batch, labels


def _between(events: Events, start_us: int, stop_us: int) -> Events:
    here = slice(*np.searchsorted(events.t_us, [start_us, stop_us]))
    return Events(events.x[here], events.y[here], events.t_us[here], events.polarity[here])


def _targets(labels: LabelTable) -> Targets:
    xywh = np.stack([labels[column] for column in "xywh"], axis=1).astype(np.float32)
    class_ids = torch.from_numpy(labels["class_id"].astype(np.int64))
    return Targets(torch.from_numpy(xywh_to_xyxy(xywh)), class_ids)


def ap50_after_overfitting(
    config: DetectorConfig,
    optimizer_of: Callable[[Iterable[nn.Parameter]], Optimizer],
    *,
    num_steps: int,
    size: tuple[int, int] = (128, 192),
) -> float:
    """AP at an overlap of 0.5 on four frames, in evaluation mode, after training on them.

    The learning rate falls to 0 over the training, as a cosine.

    Args:
        config: The detector.
        optimizer_of: Makes the optimizer of its parameters.
        num_steps: Steps of all four frames.
        size: Height and width of the frames in px.
    """
    torch.manual_seed(0)
    batch, labels = clip(*size)
    detector = config.build(NUM_CHANNELS, len(CLASSES)).train()
    optimizer = optimizer_of(detector.parameters())
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, num_steps)
    for _ in range(num_steps):
        losses, _ = detector.losses(batch, ())
        optimizer.zero_grad()
        total_loss(losses).backward()
        nn.utils.clip_grad_norm_(detector.parameters(), 10)
        optimizer.step()
        schedule.step()
    return ap50(detector, batch, {RECORDING: labels}, tuple(CLASSES))


def ap50(
    detector: Detector,
    batch: SequenceBatch,
    labels: Mapping[str, LabelTable],
    class_names: tuple[str, ...],
) -> float:
    """AP at an overlap of 0.5 of a detector in evaluation mode.

    In training mode, losses may be low while the statistics that detection uses are not yet right.

    Args:
        detector: The detector; it stays in evaluation mode.
        batch: What it detects in.
        labels: Labels of the recordings of the batch.
        class_names: Names of the classes.
    """
    with torch.inference_mode():
        found, _ = detector.eval().detect(batch, (), SuppressionSettings())
    collector = DetectionCollector(dict.fromkeys(batch.recordings, 1))
    collector.add(batch, found)
    return evaluate(labels, collector.take_all(), "coco", class_names=class_names).overall["AP_50"]
