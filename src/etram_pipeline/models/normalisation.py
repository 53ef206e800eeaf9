"""The number that losses are divided by."""

from jaxtyping import Float, Shaped
from torch import Tensor

from etram_pipeline.core.ranks import num_ranks, sum_over_ranks


def foreground_count(num_foreground: Shaped[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean number of foreground anchors per process; at least one over all processes.

    Gradients are averaged over processes. With losses divided by this number, the average is what
    a single process would compute from all batches together, however objects are distributed.
    Where anchors have weights, the number is their sum.
    """
    return sum_over_ranks(num_foreground).clamp(min=1) / num_ranks()
