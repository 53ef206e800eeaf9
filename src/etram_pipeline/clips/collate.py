"""Clips side by side as one batch."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Shaped
from torch import Tensor
from torch.utils.data import get_worker_info

from etram_pipeline.clips.dataset import Sample
from etram_pipeline.clips.ground_truth import WindowBoxes
from etram_pipeline.core.batch import SequenceBatch, Targets


def collate(samples: Sequence[Sample | None]) -> SequenceBatch:
    """A batch with one lane per sample, as long as the longest of them.

    Lanes without a sample, and windows after the end of a short clip, are zeros. The clip after a
    short one in its lane always starts anew, so no state passes through these zeros.

    Raises:
        ValueError: If every lane is empty.
    """
    filled = [(lane, sample) for lane, sample in enumerate(samples) if sample is not None]
    if not filled:
        raise ValueError("every lane of the batch is empty")
    longest = max((sample.representations for _, sample in filled), key=len)
    dtype = torch.from_numpy(np.empty(0, longest.dtype)).dtype
    frames = _zeros((len(longest), len(samples), *longest.shape[1:]), dtype)
    times_us = np.full(frames.shape[:2], -1, np.int64)
    for lane, sample in filled:
        images = sample.representations
        frames.numpy()[: len(images), lane] = images
        times_us[: len(sample.times_us), lane] = sample.times_us
    keyframes = sorted((t, lane) for lane, sample in filled for t in sample.keyframes)
    targets = {
        (t, lane): boxes
        for lane, sample in filled
        for t, boxes in zip(sample.keyframes, sample.targets, strict=bool(sample.targets))
    }
    return SequenceBatch(
        frames=frames,
        starts=torch.tensor([sample is not None and sample.clip.starts for sample in samples]),
        keyframes=torch.tensor(keyframes, dtype=torch.int64).view(-1, 2),
        targets=tuple(_as_targets(targets[keyframe]) for keyframe in keyframes if targets),
        recordings=tuple("" if sample is None else sample.clip.recording for sample in samples),
        times_us=torch.from_numpy(times_us),
    )


def _zeros(shape: tuple[int, ...], dtype: torch.dtype) -> Shaped[Tensor, "..."]:
    """Zeros; in a worker process, in shared memory, which saves a copy of the batch."""
    if get_worker_info() is None:
        return torch.zeros(shape, dtype=dtype)
    # New shared memory is filled with zeros.
    memory = torch.UntypedStorage._new_shared(math.prod(shape) * dtype.itemsize)
    return torch.empty(0, dtype=dtype).set_(memory).view(shape)


def _as_targets(boxes: WindowBoxes) -> Targets:
    return Targets(
        torch.from_numpy(boxes.boxes_xyxy),
        torch.from_numpy(boxes.class_ids),
        # Mirrored masks are views with negative strides, which PyTorch does not have.
        None if boxes.masks is None else torch.from_numpy(np.ascontiguousarray(boxes.masks)),
        None if boxes.track_ids is None else torch.from_numpy(boxes.track_ids),
    )
