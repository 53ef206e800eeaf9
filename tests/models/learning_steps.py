"""Steps of learning for auxiliary tasks, without a detector."""

from collections.abc import Sequence

import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.auxiliaries import LearningStep
from etram_pipeline.models.detector import State
from etram_pipeline.models.predictions import AnchorGrid, Predictions
from etram_pipeline.models.resizing import frame_size

STRIDES = (8, 16)


def random_predictions(
    num_images: int, size: tuple[int, int], strides: Sequence[int] = STRIDES, num_classes: int = 3
) -> Predictions:
    """Predictions somewhere near their anchors, that gradients lead back to."""
    height, width = size
    cells = [(height // stride, width // stride) for stride in strides]
    anchors = AnchorGrid.over(cells, strides, like=torch.zeros(()))
    shape = (num_images, len(anchors.strides))
    centres = anchors.centres_xy + 4 * torch.randn(*shape, 2)
    sizes = 20 * (torch.randn(*shape, 2) / 4).exp()
    return Predictions(
        torch.cat([centres, sizes], dim=-1).requires_grad_(),
        torch.randn(shape, requires_grad=True),
        torch.randn(*shape, num_classes, requires_grad=True),
        anchors,
    )


def learning_step(
    targets: tuple[Targets, ...],
    *,
    keyframes: Sequence[tuple[int, int]] = (),
    maps: tuple[Tensor, ...] = (),
    predictions: Predictions | None = None,
    frames: Tensor | None = None,
) -> LearningStep:
    """A step of these targets; by default, each is in the one lane of a clip of its own window."""
    keyframes = keyframes or [(t, 0) for t in range(len(targets))]
    num_windows, num_lanes = (max(places) + 1 for places in zip(*keyframes, strict=True))
    frames = torch.zeros(num_windows, num_lanes, 4, 64, 64) if frames is None else frames
    size = frame_size(frames)
    batch = SequenceBatch(
        frames, torch.ones(frames.shape[1], dtype=torch.bool), torch.tensor(keyframes), targets
    )
    if predictions is None:
        predictions = random_predictions(len(targets), size)
    return LearningStep(batch, size, targets, maps, predictions, _cannot_predict)


def _cannot_predict(size: tuple[int, int], state: State) -> tuple[Predictions, State]:
    raise NotImplementedError
