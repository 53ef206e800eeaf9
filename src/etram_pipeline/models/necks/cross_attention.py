"""Cross-attention from the backbone's maps to the events at the places that have the most."""

from typing import Literal

import torch
from jaxtyping import Bool, Float, Int64, Shaped
from pydantic import PositiveInt
from torch import Tensor, nn
from torch.nn.functional import scaled_dot_product_attention
from typing_extensions import override

from etram_pipeline.models.event_density import event_density
from etram_pipeline.models.necks import FeatureMaps, Neck, OuterNeckConfig, needed_frames

Places = Int64[Tensor, "K places"]
"""Cells of a map, counted row by row."""

NOT_READ = -1e4
"""Logit of places without events. Not infinite, as there may be no other place to read."""

STEPS_PER_EVENT = 1024
"""Densities that differ by less than one of these steps per event and px are equal."""


class SparseCrossAttention(nn.Module):
    """What the busiest cells of a map learn from the events in these cells.

    Each of them asks (query) by its features and reads (key, value) the events in all of them,
    embedded by a convolution as wide as a cell. Heads see differently far: from the logit, they
    subtract 2^(-8 h / number of heads) for each cell of distance, h = 1, 2, ... Cells without
    events are neither read nor changed. The last layer begins with zeros, so at first nothing is
    changed.

    Source: Vaswani et al., "Attention Is All You Need", NeurIPS 2017, section 3.2; the bias is
    after Press et al., "Train Short, Test Long", ICLR 2022, section 3, in two dimensions.
    """

    def __init__(self, channels: int, frame_channels: int, stride: int, config: "Config") -> None:
        super().__init__()
        width = config.num_heads * config.dim_head
        self.stride, self.places, self.num_heads = stride, config.places, config.num_heads
        self.embedding = nn.Linear(frame_channels * stride**2, width)
        self.event_norm = nn.LayerNorm(width)
        self.map_norm = nn.LayerNorm(channels)
        self.query = nn.Linear(channels, width)
        self.key_value = nn.Linear(width, 2 * width)
        self.projection = nn.Linear(width, channels)
        for parameter in self.projection.parameters():
            nn.init.zeros_(parameter)

    def forward(
        self, maps: Float[Tensor, "K D h w"], frames: Shaped[Tensor, "K C H W"]
    ) -> Float[Tensor, "K D h w"]:
        """The maps with what was learnt added."""
        height, width = maps.shape[2:]
        places, has_events = busiest_places(event_density(frames, self.stride), self.places)
        cells = maps.flatten(2)
        index = places[:, None].expand(-1, maps.shape[1], -1)
        features = cells.gather(2, index).mT
        query = self._split(self.query(self.map_norm(features)))
        embedded = self.embedding(_patches(frames, self.stride, places).to(features.dtype))
        key, value = self.key_value(self.event_norm(embedded)).chunk(2, dim=-1)
        bias = self._bias(places, has_events, width)
        attended = scaled_dot_product_attention(
            query, self._split(key), self._split(value), attn_mask=bias.to(query.dtype)
        )
        learnt = self.projection(attended.transpose(1, 2).flatten(2)) * has_events[..., None]
        changed = cells.scatter(2, index, (features + learnt).to(cells.dtype).mT)
        result: Tensor = changed.unflatten(2, (height, width))
        return result

    def _split(self, tokens: Float[Tensor, "K places E"]) -> Float[Tensor, "K heads places dim"]:
        per_head: Tensor = tokens.unflatten(-1, (self.num_heads, -1))
        return per_head.transpose(1, 2)

    def _bias(
        self, places: Places, has_events: Bool[Tensor, "K places"], width: int
    ) -> Float[Tensor, "K heads places places"]:
        """Added to the logits."""
        corners = torch.stack([places // width, places % width], dim=-1).float()
        distances = (corners[:, :, None] - corners[:, None]).square().sum(-1).sqrt()
        heads = torch.arange(1, self.num_heads + 1, device=places.device)
        slopes = 2.0 ** (-8.0 * heads / self.num_heads)
        unread = NOT_READ * (~has_events).float()
        return unread[:, None, None] - slopes[:, None, None] * distances[:, None]


def busiest_places(
    density: Float[Tensor, "K 1 h w"], number: int
) -> tuple[Places, Bool[Tensor, "K places"]]:
    """The cells with the most events, and whether they have any; all cells if there are fewer.

    Of equal cells, those further up and further left are chosen, on every device.

    Args:
        density: Events per px of each cell.
        number: How many cells are chosen.
    """
    flat = density.detach().flatten(1)
    cells = flat.shape[1]
    # Whole numbers, all different: `topk` says nothing about the order of equal ones.
    order = torch.arange(cells, device=flat.device)
    ranks = (flat * STEPS_PER_EVENT).round().long() * cells - order
    places = ranks.topk(min(number, cells), dim=1).indices
    return places, flat.gather(1, places) > 0


def _patches(
    frames: Shaped[Tensor, "K C H W"], stride: int, places: Places
) -> Shaped[Tensor, "K places values"]:
    """All values of the frames in some cells."""
    rows, columns = (side // stride for side in frames.shape[2:])
    cells: Tensor = frames.unflatten(3, (columns, stride)).unflatten(2, (rows, stride))
    of_cells = cells.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
    return of_cells.gather(1, places[..., None].expand(-1, -1, of_cells.shape[-1]))


class CrossAttention(Neck):
    """Adds what events tell to the finest maps that another neck merges."""

    reads_frames = True

    def __init__(self, inner: Neck, attention: nn.ModuleList) -> None:
        super().__init__()
        self.inner, self.attention = inner, attention
        self.channels = inner.channels

    @override
    def forward(
        self, maps: FeatureMaps, frames: Shaped[Tensor, "K C H W"] | None = None
    ) -> FeatureMaps:
        read = needed_frames(frames)
        fine = tuple(
            attention(each, read) for attention, each in zip(self.attention, maps, strict=False)
        )
        merged: FeatureMaps = self.inner(fine + maps[len(fine) :], read)
        return merged


class Config(OuterNeckConfig):
    """Settings of the neck.

    Attributes:
        places: Cells of a map that are changed and read, those with the most events.
        num_scales: Maps that are changed, the finest ones; all if there are fewer.
        num_heads: Heads of the attention.
        dim_head: Channels of each head.
    """

    kind: Literal["cross_attention"] = "cross_attention"
    places: PositiveInt = 64
    num_scales: PositiveInt = 1
    num_heads: PositiveInt = 4
    dim_head: PositiveInt = 16

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], frame_channels: int
    ) -> CrossAttention:
        scales = list(zip(in_channels, strides, strict=True))[: self.num_scales]
        attention = nn.ModuleList(
            SparseCrossAttention(width, frame_channels, stride, self) for width, stride in scales
        )
        return CrossAttention(self.inner.build(in_channels, strides, frame_channels), attention)
