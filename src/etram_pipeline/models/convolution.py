"""The block of convolution, normalisation and activation that necks and heads consist of."""

from functools import partial

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

from etram_pipeline.core.component import Settings


class Normalisation(Settings):
    """Batch normalisation.

    Attributes:
        eps: Added to the variance.
        momentum: Weight of a new batch in the running statistics.
    """

    eps: float = 1e-5
    momentum: float = 0.1


class ConvolutionBlock(nn.Module):
    """Convolution without bias, batch normalisation, SiLU; keeps the size at stride 1."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        normalisation: Normalisation,
    ) -> None:
        super().__init__()
        self.convolution: nn.Module = nn.Conv2d(
            in_channels, out_channels, kernel_size, stride, padding=kernel_size // 2, bias=False
        )
        self.norm = nn.BatchNorm2d(
            out_channels, eps=normalisation.eps, momentum=normalisation.momentum
        )

    def forward(self, maps: Float[Tensor, "N C H W"]) -> Float[Tensor, "N D h w"]:
        """Transform feature maps."""
        return silu(self.norm(self.convolution(maps)))


def convolution_blocks(normalisation: Normalisation) -> "partial[ConvolutionBlock]":
    """Constructor of blocks with the same normalisation settings."""
    return partial(ConvolutionBlock, normalisation=normalisation)
