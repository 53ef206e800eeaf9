"""Factors that maps are multiplied by, all 1 before anything is learnt."""

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import silu

FrameMaps = Float[Tensor, "N C H W"]


class Gate(nn.Module):
    """A convolution's output as factors between 0 and 2, all 1 before anything is learnt."""

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int = 1) -> None:
        super().__init__()
        self.logits = nn.Conv2d(in_channels, out_channels, kernel_size, padding=kernel_size // 2)
        for parameter in self.logits.parameters():
            nn.init.zeros_(parameter)

    def forward(self, maps: FrameMaps) -> Float[Tensor, "N D H W"]:
        """Factors of maps to be refined."""
        factors: Tensor = 2 * self.logits(maps).sigmoid()
        return factors


class ChannelAttention(nn.Module):
    """Weighs channels by the means of all channels over the map.

    Source: Hu et al., "Squeeze-and-Excitation Networks", CVPR 2018, section 3, with SiLU between
    the layers, and with factors between 0 and 2, so that it changes nothing at first.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        hidden = max(channels // reduction, 1)
        self.squeeze = nn.Conv2d(channels, hidden, 1)
        self.gate = Gate(hidden, channels)

    def forward(self, maps: FrameMaps) -> FrameMaps:
        """Weigh maps, each by itself."""
        means = maps.mean(dim=(2, 3), keepdim=True)
        weighed: Tensor = maps * self.gate(silu(self.squeeze(means)))
        return weighed
