"""Predictions of a dense head: one box, one objectness and class scores per anchor."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from etram_pipeline.models.boxes import cxcywh_to_xyxy


@dataclass(frozen=True)
class WindowPredictions:
    """Predictions for one window of `B` lanes, before any of them are selected.

    Attributes:
        boxes_xyxy: Corners in px of the frame; boxes may exceed it.
        objectness: Probability of any object, in `[0, 1]`; 1 if the detector has no such output.
        class_scores: Probability of each class, in `[0, 1]`.
    """

    boxes_xyxy: Float[Tensor, "B A 4"]
    objectness: Float[Tensor, "B A 1"]
    class_scores: Float[Tensor, "B A C"]

    @classmethod
    def of_stacked(cls, stacked: Float[Tensor, "B A outputs"]) -> "WindowPredictions":
        """Those of `Predictions.stacked`."""
        boxes, objectness, classes = stacked.split([4, 1, stacked.shape[-1] - 5], dim=-1)
        return cls(cxcywh_to_xyxy(boxes), objectness, classes)


class Level(NamedTuple):
    """One map of a head: its cells, and their side in px."""

    height: int
    width: int
    stride: int


@dataclass(frozen=True)
class AnchorGrid:
    """Cells of the feature maps of a head, finest map first, each map row by row.

    Attributes:
        corners_xy: Top-left corner of each cell in px.
        strides: Side of each cell in px.
        levels: The maps; empty if not known.
    """

    corners_xy: Float[Tensor, "A 2"]
    strides: Float[Tensor, " A"]
    levels: tuple[Level, ...] = ()

    @property
    def centres_xy(self) -> Float[Tensor, "A 2"]:
        """Centre of each cell in px."""
        return self.corners_xy + self.strides[:, None] / 2

    @classmethod
    def over(
        cls, sizes: Sequence[tuple[int, int]], strides: Sequence[int], like: Tensor
    ) -> "AnchorGrid":
        """Cells of maps of `sizes` (height, width), on the device and in the dtype of `like`."""
        corners = [
            torch.cartesian_prod(
                torch.arange(height, device=like.device), torch.arange(width, device=like.device)
            ).flip(1)
            * stride
            for (height, width), stride in zip(sizes, strides, strict=True)
        ]
        sides = [
            like.new_full((height * width,), stride)
            for (height, width), stride in zip(sizes, strides, strict=True)
        ]
        levels = (Level(*size, stride) for size, stride in zip(sizes, strides, strict=True))
        return cls(torch.cat(corners).to(like.dtype), torch.cat(sides), tuple(levels))

    def split(self, values: Float[Tensor, "K A n"]) -> list[Float[Tensor, "K n H W"]]:
        """Values of all anchors as one map per level, finest first."""
        parts = values.split([level.height * level.width for level in self.levels], dim=1)
        return [
            part.transpose(1, 2).unflatten(2, (level.height, level.width))
            for part, level in zip(parts, self.levels, strict=True)
        ]


@dataclass(frozen=True)
class Predictions:
    """Predictions for `K` maps at `A` anchors, in single precision or better.

    Attributes:
        boxes_cxcywh: Boxes in px.
        objectness_logits: Log odds that the anchor's box holds an object.
        class_logits: Log odds of each class, independent of each other.
        anchors: Positions of the anchors.
    """

    boxes_cxcywh: Float[Tensor, "K A 4"]
    objectness_logits: Float[Tensor, "K A"]
    class_logits: Float[Tensor, "K A C"]
    anchors: AnchorGrid

    def stacked(self) -> Float[Tensor, "K A outputs"]:
        """Box, objectness and class probabilities, side by side."""
        return torch.cat(
            [
                self.boxes_cxcywh,
                self.objectness_logits.sigmoid()[..., None],
                self.class_logits.sigmoid(),
            ],
            dim=-1,
        )
