"""Attention within the parts of a feature map: windows of neighbours, or grids across the map."""

from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import gelu, linear, scaled_dot_product_attention

from etram_pipeline.core.component import Settings

ChannelsLastMaps = Float[Tensor, "N H W D"]
Partitioning = Literal["window", "grid"]
"""Windows of neighbouring cells, or grids of cells spread evenly over the map."""

FEW_CELLS = 24
"""Cells of a part up to which plain products are faster than a fused kernel on a CPU."""


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

    def forward(
        self, parts: Float[Tensor, "P h w D"], scale: nn.Module
    ) -> Float[Tensor, "P h w D"]:
        """What every cell of a part sees in all of them, scaled."""
        per_head = self.qkv(parts).flatten(1, 2).unflatten(-1, (-1, 3 * self.dim_head))
        query, key, value = per_head.transpose(1, 2).chunk(3, dim=-1)
        attended = _attend(query, key, value).transpose(1, 2).reshape(parts.shape)
        return _scaled(self.projection, attended, scale)


class Perceptron(nn.Module):
    """Two layers with a GELU between them, for every cell by itself."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(dim, hidden), nn.Linear(hidden, dim)

    def forward(self, cells: Float[Tensor, "*n D"], scale: nn.Module) -> Float[Tensor, "*n D"]:
        """Transform the cells, and scale what comes out."""
        return _scaled(self.fc2, gelu(self.fc1(cells)), scale)


class PartitionAttention(nn.Module):
    """Attention and a perceptron, each added to its input, within the parts of a map.

    Source: Tu et al., "MaxViT: Multi-Axis Vision Transformer", ECCV 2022, section 3.2; without
    relative position bias, as RVT uses it.
    """

    def __init__(
        self,
        dim: int,
        parts: Partitioning,
        settings: AttentionSettings,
        *,
        is_input_normed: bool,
    ) -> None:
        super().__init__()
        self.parts: Partitioning = parts
        self.attention_norm = (
            nn.Identity() if is_input_normed else nn.LayerNorm(dim, eps=settings.norm_eps)
        )
        self.attention = PartAttention(dim, settings.dim_head, bias=settings.bias)
        self.attention_scale = _layer_scale(dim, settings.layer_scale)
        self.mlp_norm = nn.LayerNorm(dim, eps=settings.norm_eps)
        self.mlp = Perceptron(dim, int(dim * settings.mlp_ratio))
        self.mlp_scale = _layer_scale(dim, settings.layer_scale)

    def forward(self, maps: ChannelsLastMaps, part_size: tuple[int, int]) -> ChannelsLastMaps:
        """Transform channels-last maps whose sides are multiples of `part_size`."""
        x = partition(maps, part_size, self.parts)
        # In half precision what a block adds would be lost in what it adds to.
        sums = torch.promote_types(x.dtype, torch.float32)
        x = x.to(sums) + self.attention(self.attention_norm(x), self.attention_scale)
        x = x + self.mlp(self.mlp_norm(x), self.mlp_scale)
        height, width = maps.shape[1:3]
        return merge(x, (height, width), self.parts)


class LayerScale(nn.Module):
    """A learnt weight for each channel.

    Source: Touvron et al., "Going deeper with Image Transformers", ICCV 2021, section 2.
    """

    def __init__(self, dim: int, initial: float) -> None:
        super().__init__()
        self.gamma = nn.Parameter(initial * torch.ones(dim))

    def forward(self, cells: Float[Tensor, "*n D"]) -> Float[Tensor, "*n D"]:
        """The cells, weighted."""
        return cells * self.gamma


def partition(
    maps: ChannelsLastMaps, part_size: tuple[int, int], parts: Partitioning
) -> Float[Tensor, "P h w D"]:
    """Cut maps, whose sides are multiples of `part_size`, into parts of that size."""
    count, height, width, dim = maps.shape
    rows, columns = part_size
    if parts == "window":
        cut = maps.view(count, height // rows, rows, width // columns, columns, dim)
        return cut.permute(0, 1, 3, 2, 4, 5).reshape(-1, rows, columns, dim)
    cut = maps.view(count, rows, height // rows, columns, width // columns, dim)
    return cut.permute(0, 2, 4, 1, 3, 5).reshape(-1, rows, columns, dim)


def merge(
    parts: Float[Tensor, "P h w D"], size: tuple[int, int], kind: Partitioning
) -> ChannelsLastMaps:
    """Put the parts that `partition` made together again to maps of `size`, height and width."""
    (height, width), (rows, columns, dim) = size, parts.shape[1:]
    cut = parts.view(-1, height // rows, width // columns, rows, columns, dim)
    order = (0, 1, 3, 2, 4, 5) if kind == "window" else (0, 3, 1, 4, 2, 5)
    return cut.permute(*order).reshape(-1, height, width, dim)


def _scaled(
    layer: nn.Linear, inputs: Float[Tensor, "*n D"], scale: nn.Module
) -> Float[Tensor, "*n E"]:
    """The output of `layer`, scaled channel by channel."""
    # Scaling a layer takes less time than scaling all that it puts out, where memory is slow and
    # launching an operation is not; float16 does not reach down to such small weights.
    is_float16 = inputs.dtype == torch.float16
    if inputs.device.type != "cpu" or is_float16 or isinstance(scale, nn.Identity):
        scaled: Tensor = scale(layer(inputs))
        return scaled
    gamma = scale.get_parameter("gamma")
    weights = dict(layer.named_parameters())
    bias = weights["bias"] * gamma if "bias" in weights else None
    return linear(inputs, weights["weight"] * gamma[:, None], bias)


def _layer_scale(dim: int, initial: float) -> nn.Module:
    return LayerScale(dim, initial) if initial else nn.Identity()


def _attend(
    query: Float[Tensor, "P heads cells d"],
    key: Float[Tensor, "P heads cells d"],
    value: Float[Tensor, "P heads cells d"],
) -> Float[Tensor, "P heads cells d"]:
    is_half = query.dtype in {torch.bfloat16, torch.float16}
    if query.device.type == "cpu" and (is_half or query.shape[-2] <= FEW_CELLS):
        # PyTorch's fused kernel goes back through few cells, or in half precision, more slowly, and
        # its softmax along short rows takes several times as long as across them.
        similarity = (key @ query.mT) * query.shape[-1] ** -0.5
        attended: Tensor = similarity.softmax(-2).mT @ value
        return attended
    return scaled_dot_product_attention(query, key, value)
