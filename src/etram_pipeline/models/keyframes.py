"""Learning from the keyframes of a batch, which may have none."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

import torch
from torch import nn

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.ranks import num_ranks
from etram_pipeline.models.detector import RUNNING, Losses, State


def learn_keyframes(
    detector: nn.Module,
    batch: SequenceBatch,
    learn: Callable[[SequenceBatch], tuple[Losses, State]],
) -> tuple[Losses, State]:
    """Losses of a batch, and the state after it.

    Without keyframes, the losses are zeros that depend on every parameter.

    Args:
        detector: The detector that learns.
        batch: Keyframes and their targets.
        learn: Losses of a batch with at least one keyframe, and the state after it.

    Raises:
        ValueError: If a keyframe has no targets.
    """
    if len(batch.targets) != len(batch.keyframes):
        raise ValueError(
            f"the batch has {len(batch.keyframes)} keyframes but targets for "
            f"{len(batch.targets)}; training needs the targets of every keyframe"
        )
    if len(batch.keyframes):
        return learn(batch)
    # Other processes may have keyframes and wait for this one wherever statistics, counts or
    # gradients are combined. It takes part in all of that with a window whose losses weigh nothing.
    with _unchanged_statistics(detector):
        losses, state = learn(_with_bare_keyframe(batch))
        nothing = {
            name: value if name.startswith(RUNNING) else 0 * value for name, value in losses.items()
        }
        return nothing, state


@contextmanager
def _unchanged_statistics(detector: nn.Module) -> Iterator[None]:
    """Keep the statistics of a detector as they are, unless several processes share them."""
    kept = detector.buffers() if num_ranks() == 1 else ()
    before = [(buffer, buffer.clone()) for buffer in kept]
    yield
    for buffer, value in before:
        # The backward pass reads no buffer, but would refuse one that it sees change.
        buffer.data.copy_(value)


def _with_bare_keyframe(batch: SequenceBatch) -> SequenceBatch:
    """The batch with its first window as the only keyframe, without objects."""
    device = batch.frames.device
    nothing = Targets(
        torch.empty(0, 4, device=device), torch.empty(0, dtype=torch.int64, device=device)
    )
    keyframes = torch.zeros(1, 2, dtype=torch.int64, device=device)
    return replace(batch, keyframes=keyframes, targets=(nothing,))
