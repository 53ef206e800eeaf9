"""What losses are divided by."""

from jaxtyping import Float, Int64
from torch import Tensor

from etram_pipeline.core.ranks import num_ranks, sum_over_ranks


def foreground_count(num_foreground: Int64[Tensor, ""]) -> Float[Tensor, ""]:
    """Mean over processes of the anchors that learn an object, at least one in all.

    Gradients are averaged over processes. Divided by this, they are what a single process would
    compute from the batches of all, however unevenly objects are spread over them.
    """
    return sum_over_ranks(num_foreground).clamp(min=1) / num_ranks()
