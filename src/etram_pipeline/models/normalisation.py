"""The number that losses are divided by, and statistics of layers."""

from collections.abc import Iterator
from contextlib import contextmanager

from jaxtyping import Float, Shaped
from torch import Tensor, nn

from etram_pipeline.core.ranks import num_ranks, sum_over_ranks

BATCH_NORMS = nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.SyncBatchNorm


def foreground_count(num_foreground: Shaped[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean number of foreground anchors per process; at least one over all processes.

    Gradients are averaged over processes. With losses divided by this number, the average is what
    a single process would compute from all batches together, however objects are distributed.
    Where anchors have weights, the number is their sum.
    """
    return sum_over_ranks(num_foreground).clamp(min=1) / num_ranks()


@contextmanager
def statistics_kept(module: nn.Module) -> Iterator[None]:
    """Leave the running statistics of batch normalisation as they are.

    In training, layers then still normalise by the statistics of their input.
    """
    tracking = [
        layer
        for layer in module.modules()
        if isinstance(layer, BATCH_NORMS) and layer.track_running_stats
    ]
    for layer in tracking:
        layer.track_running_stats = False
    try:
        yield
    finally:
        for layer in tracking:
            layer.track_running_stats = True
