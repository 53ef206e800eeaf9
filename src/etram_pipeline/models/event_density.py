"""How many events a representation shows in each cell of a map."""

import torch
from jaxtyping import Float, Shaped
from torch import Tensor
from torch.nn.functional import avg_pool2d


def event_density(frames: Shaped[Tensor, "K C H W"], stride: int) -> Float[Tensor, "K 1 h w"]:
    """Events per px of each cell: the sum of all channels' magnitudes, averaged over the cell.

    Of a histogram, this is the number of its events per px. Other representations count each event
    by the magnitude that they show it with, whatever its sign. The density can be differentiated
    with respect to the frames.

    Args:
        frames: Representations of any number type; height and width are multiples of the stride.
        stride: Side of a cell in px.
    """
    if frames.dtype == torch.int8:  # where -128 has no opposite
        frames = frames.to(torch.int16)
    of_pixels = frames.abs().sum(dim=1, keepdim=True, dtype=torch.float32)
    return avg_pool2d(of_pixels, stride)
