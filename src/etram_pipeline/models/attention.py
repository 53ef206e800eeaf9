"""Attention within the parts of a feature map: windows of neighbours, or grids across the map."""

from typing import Literal

import torch
from jaxtyping import Float
from timm.layers import LayerScale, Mlp  # type: ignore[attr-defined]
from timm.models.maxxvit import (
    grid_partition,
    grid_reverse,
    window_partition,
    window_reverse,
)
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention

from etram_pipeline.core.component import Settings

Maps = Float[Tensor, "N H W D"]


class AttentionSettings(Settings):
    """How an attention block is made.

    Attributes:
        dim_head: Channels of each attention head; divides the map's channels.
        mlp_ratio: Hidden channels of the block's perceptron, as a multiple of the map's.
        layer_scale: Initial weight of what each branch adds; 0 adds the branch unweighted.
        bias: Whether the projections of the attention have a bias.
        norm_eps: Added to the variance in layer normalisation.
    """

    dim_head: int = 32
    mlp_ratio: float = 4.0
    layer_scale: float = 1e-5
    bias: bool = True
    norm_eps: float = 1e-5


class PartAttention(nn.Module):
    """Multi-head self-attention among the cells of each part.

    Queries, keys and values of one head lie side by side in the projection's output.
    """

    def __init__(self, dim: int, dim_head: int, *, bias: bool) -> None:
        super().__init__()
        self.dim_head = dim_head
        self.qkv = nn.Linear(dim, 3 * dim, bias=bias)
        self.projection = nn.Linear(dim, dim, bias=bias)

    def forward(self, parts: Float[Tensor, "P h w D"]) -> Float[Tensor, "P h w D"]:
        """Let every cell of a part look at all of them."""
        per_head = self.qkv(parts).flatten(1, 2).unflatten(-1, (-1, 3 * self.dim_head))
        query, key, value = per_head.transpose(1, 2).chunk(3, dim=-1)
        attended = _attend(query, key, value).transpose(1, 2).reshape(parts.shape)
        projected: Tensor = self.projection(attended)
        return projected


class PartitionAttention(nn.Module):
    """Attention and a perceptron, each added to its input, within the parts of a map.

    Source: Tu et al., "MaxViT: Multi-Axis Vision Transformer", ECCV 2022, section 3.2; without
    relative position bias, as RVT uses it.
    """

    def __init__(
        self,
        dim: int,
        parts: Literal["window", "grid"],
        settings: AttentionSettings,
        *,
        is_input_normed: bool,
    ) -> None:
        super().__init__()
        is_window = parts == "window"
        self.partition = window_partition if is_window else grid_partition
        self.reverse = window_reverse if is_window else grid_reverse
        self.attention_norm = (
            nn.Identity() if is_input_normed else nn.LayerNorm(dim, eps=settings.norm_eps)
        )
        self.attention = PartAttention(dim, settings.dim_head, bias=settings.bias)
        self.attention_scale = _layer_scale(dim, settings.layer_scale)
        self.mlp_norm = nn.LayerNorm(dim, eps=settings.norm_eps)
        self.mlp = Mlp(dim, int(dim * settings.mlp_ratio))
        self.mlp_scale = _layer_scale(dim, settings.layer_scale)

    def forward(self, maps: Maps, part_size: tuple[int, int]) -> Maps:
        """Transform channels-last maps whose sides are multiples of `part_size`."""
        size = list(part_size)
        x = self.partition(maps, size)
        x = x + self.attention_scale(self.attention(self.attention_norm(x)))
        x = x + self.mlp_scale(self.mlp(self.mlp_norm(x)))
        merged: Tensor = self.reverse(x, size, list(maps.shape[1:3]))
        return merged


def _layer_scale(dim: int, initial: float) -> nn.Module:
    return LayerScale(dim, initial) if initial else nn.Identity()


def _attend(
    query: Float[Tensor, "P heads cells d"],
    key: Float[Tensor, "P heads cells d"],
    value: Float[Tensor, "P heads cells d"],
) -> Float[Tensor, "P heads cells d"]:
    if query.device.type == "cpu" and query.dtype in {torch.bfloat16, torch.float16}:
        # PyTorch's fused kernel goes back through short sequences three times as slowly as this.
        similarity = (query @ key.mT) * query.shape[-1] ** -0.5
        attended: Tensor = similarity.softmax(-1) @ value
        return attended
    return scaled_dot_product_attention(query, key, value)
