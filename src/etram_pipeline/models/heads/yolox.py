"""YOLOX's head: classes and boxes from separate branches at every cell."""

import math
from typing import Literal

import torch
from jaxtyping import Float
from pydantic import Field
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.models.convolution import Normalisation, convolution_blocks
from etram_pipeline.models.heads import Head, HeadConfig
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.predictions import AnchorGrid, Predictions


class LevelHead(nn.Module):
    """The branches of the head for the map of one stride."""

    def __init__(self, in_channels: int, hidden: int, num_classes: int, config: "Config") -> None:
        super().__init__()
        make_block = convolution_blocks(config.normalisation)
        self.stem = make_block(in_channels, hidden, 1)
        self.class_branch = nn.Sequential(
            *(make_block(hidden, hidden, 3) for _ in range(config.num_convolutions))
        )
        self.box_branch = nn.Sequential(
            *(make_block(hidden, hidden, 3) for _ in range(config.num_convolutions))
        )
        self.class_output = nn.Conv2d(hidden, num_classes, 1)
        self.box_output = nn.Conv2d(hidden, 4, 1)
        self.objectness_output = nn.Conv2d(hidden, 1, 1)
        self._expect_few_objects(config.prior_probability)

    def forward(self, maps: Float[Tensor, "K C H W"]) -> Float[Tensor, "K cells outputs"]:
        """Raw box, objectness and classes of every cell, row by row."""
        stem = self.stem(maps)
        box_features, class_features = self.box_branch(stem), self.class_branch(stem)
        outputs = [
            self.box_output(box_features),
            self.objectness_output(box_features),
            self.class_output(class_features),
        ]
        return torch.cat(outputs, dim=1).flatten(2).transpose(1, 2)

    def _expect_few_objects(self, prior_probability: float) -> None:
        log_odds = -math.log((1 - prior_probability) / prior_probability)
        for output in (self.class_output, self.objectness_output):
            nn.init.constant_(output.get_parameter("bias"), log_odds)


class YOLOXHead(Head):
    """One anchor per cell, without anchor boxes.

    Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430, section 2.1.
    """

    def __init__(
        self,
        in_channels: tuple[int, ...],
        strides: tuple[int, ...],
        num_classes: int,
        config: "Config",
    ) -> None:
        super().__init__()
        self.strides = strides
        self.num_classes = num_classes
        hidden = config.hidden_channels or in_channels[-1] // 4
        self.levels = nn.ModuleList(
            LevelHead(channels, hidden, num_classes, config) for channels in in_channels
        )

    @override
    def forward(self, maps: FeatureMaps) -> Predictions:
        raw = torch.cat(
            [level(level_map) for level, level_map in zip(self.levels, maps, strict=True)], dim=1
        )
        sizes = [(level_map.shape[2], level_map.shape[3]) for level_map in maps]
        # In half precision a box beyond 512 px would move in steps of half a px.
        with torch.autocast(raw.device.type, enabled=False):
            raw = raw.to(torch.promote_types(raw.dtype, torch.float32))
            anchors = AnchorGrid.over(sizes, self.strides, like=raw)
            return decode(raw, anchors)


def decode(raw: Float[Tensor, "K A outputs"], anchors: AnchorGrid) -> Predictions:
    """Predictions in px from a head's raw outputs: box, objectness, classes.

    Centres are offsets from the cell's top-left corner and sizes are logarithms, both in strides.
    """
    offsets, log_sizes, objectness, classes = raw.split([2, 2, 1, raw.shape[-1] - 5], dim=-1)
    strides = anchors.strides[:, None]
    centres = offsets * strides + anchors.corners_xy
    return Predictions(
        boxes_cxcywh=torch.cat([centres, log_sizes.exp() * strides], dim=-1),
        objectness_logits=objectness.squeeze(-1),
        class_logits=classes,
        anchors=anchors,
    )


class Config(HeadConfig):
    """Settings of the head; the defaults are those of RVT.

    Attributes:
        hidden_channels: Channels of all branches; none: a quarter of the coarsest map's.
        num_convolutions: Convolutions in each branch.
        prior_probability: Objectness and class probability an untrained head predicts.
        normalisation: Batch normalisation of every convolution.
    """

    kind: Literal["yolox"] = "yolox"
    hidden_channels: int | None = Field(default=None, ge=1)
    num_convolutions: int = Field(default=2, ge=0)
    prior_probability: float = Field(default=0.01, gt=0, lt=1)
    normalisation: Normalisation = Normalisation()

    @override
    def build(
        self, in_channels: tuple[int, ...], strides: tuple[int, ...], num_classes: int
    ) -> YOLOXHead:
        return YOLOXHead(in_channels, strides, num_classes, self)
