"""What a layer of RF-DETR predicts."""

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor
from torch.nn.functional import grid_sample


@dataclass(frozen=True)
class MaskOutput:
    """Masks as products of a feature map and one vector per query.

    All masks together would need gigabytes in training, where there are 13 groups of queries.

    Attributes:
        features: Map of each frame, at a quarter of its resolution.
        queries: What the features are multiplied by.
        bias: What is added to the products, which are logits.
    """

    features: Float[Tensor, "B D h w"]
    queries: Float[Tensor, "B Q D"]
    bias: Float[Tensor, " 1"]

    def logits(self, frame: int, chosen: Int64[Tensor, " n"]) -> Float[Tensor, "n h w"]:
        """The masks of some queries of a frame."""
        features = self.features[frame]
        products = self.queries[frame, chosen] @ features.flatten(1)
        logits: Tensor = products.unflatten(1, features.shape[1:]) + self.bias
        return logits

    def logits_at(self, frame: int, points: Float[Tensor, "P 2"]) -> Float[Tensor, "Q P"]:
        """The masks of all queries of a frame at some points (x and y in `[0, 1]`)."""
        features = sample_maps(self.features[frame].unsqueeze(0), points.unsqueeze(0))
        return self.queries[frame] @ features.squeeze(0) + self.bias


@dataclass(frozen=True)
class LayerOutput:
    """What one layer predicts; training has several groups of queries, one after another.

    Attributes:
        logits: Classes of each query.
        boxes: Centre and size of each box, as shares of the frame's width and height.
        masks: Masks; None: the network predicts none.
    """

    logits: Float[Tensor, "B Q C"]
    boxes: Float[Tensor, "B Q 4"]
    masks: MaskOutput | None = None

    def float(self) -> "LayerOutput":
        """The same in single precision."""
        masks = self.masks
        if masks is not None:
            masks = MaskOutput(masks.features.float(), masks.queries.float(), masks.bias.float())
        return LayerOutput(self.logits.float(), self.boxes.float(), masks)


def sample_maps(
    maps: Float[Tensor, "N D h w"], points: Float[Tensor, "N P 2"], mode: str = "bilinear"
) -> Float[Tensor, "N D P"]:
    """Maps at some points, x and y in `[0, 1]`; each map has its own points."""
    if not len(maps):
        return maps.new_zeros(*points.shape[:1], maps.shape[1], points.shape[1]) + maps.sum()
    grid = (2 * points - 1).unsqueeze(1)
    sampled: Tensor = grid_sample(maps, grid, mode=mode, padding_mode="border", align_corners=False)
    return sampled.squeeze(2)


def at_points(masks: torch.Tensor, points: Float[Tensor, "N P 2"]) -> Float[Tensor, "N P"]:
    """Whether masks contain points: 1 or 0."""
    return sample_maps(masks.unsqueeze(1).to(points.dtype), points, "nearest").squeeze(1)
