"""RVT: a recurrent backbone, a neck, a head and a loss."""

from typing import Literal

import torch
from jaxtyping import Float, Shaped
from pydantic import Field, model_validator
from torch import Tensor
from torch.nn.functional import pad
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.models.backbones import Backbone, BackboneConfig, maxvit
from etram_pipeline.models.cells import CellConfig, conv_lstm
from etram_pipeline.models.detector import Detector, Losses, State, reset_state
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.heads import Head, HeadConfig, yolox
from etram_pipeline.models.losses import DetectionLoss, LossConfig
from etram_pipeline.models.losses import yolox as yolox_loss
from etram_pipeline.models.necks import FeatureMaps, Neck, NeckConfig, pafpn
from etram_pipeline.models.postprocess import keep_visible, suppress
from etram_pipeline.models.predictions import Predictions
from etram_pipeline.models.suppression import Suppression


class RVT(Detector):
    """Recurrent vision transformer for event cameras.

    The backbone sees every window, neck and head only the keyframes. Inputs are padded at the
    bottom and on the right to the size the backbone needs.

    Source: Gehrig and Scaramuzza, "Recurrent Vision Transformers for Object Detection with Event
    Cameras", CVPR 2023; uzh-rpg/RVT.
    """

    def __init__(
        self,
        backbone: Backbone,
        neck: Neck,
        head: Head,
        loss: DetectionLoss,
        neck_stages: tuple[int, ...],
    ) -> None:
        super().__init__()
        self.backbone, self.neck, self.head, self.loss = backbone, neck, head, loss
        self.neck_stages = neck_stages

    @override
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State | None = None
    ) -> tuple[Float[Tensor, "T B anchors outputs"], State]:
        features, state = self._extract(frames, state or ())
        predictions = self._predict(tuple(maps.flatten(0, 1) for maps in features))
        return predictions.stacked().unflatten(0, frames.shape[:2]), state

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        features, state = self._extract(batch.frames, reset_state(state, batch.starts))
        if len(batch.targets) != len(batch.keyframes):
            raise ValueError(
                f"the batch has {len(batch.keyframes)} keyframes but targets for "
                f"{len(batch.targets)}; training needs the targets of every keyframe"
            )
        if len(batch.keyframes) == 0:
            return self._zero_losses(), state
        predictions = self._predict(tuple(batch.select_keyframes(maps) for maps in features))
        losses: Losses = self.loss(predictions, batch.targets)
        return losses, state

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: Suppression
    ) -> tuple[list[Detections], State]:
        features, state = self._extract(batch.frames, reset_state(state, batch.starts))
        if len(batch.keyframes) == 0:
            return [], state
        predictions = self._predict(tuple(batch.select_keyframes(maps) for maps in features))
        height, width = batch.frames.shape[-2:]
        detections = [
            keep_visible(found, height, width, suppression.max_detections)
            for found in suppress(predictions.stacked(), suppression)
        ]
        return detections, state

    def _extract(
        self, frames: Shaped[Tensor, "T B C H W"], state: State
    ) -> tuple[tuple[Float[Tensor, "T B _ _ _"], ...], State]:
        """Maps of the stages the neck merges, and the state after the last window."""
        _check_state(state, num_lanes=frames.shape[1])
        features, state = self.backbone(pad_to_multiple(frames, self.backbone.size_multiple), state)
        return tuple(features[stage - 1] for stage in self.neck_stages), state

    def _predict(self, features: FeatureMaps) -> Predictions:
        predictions: Predictions = self.head(self.neck(features))
        return predictions

    def _zero_losses(self) -> Losses:
        """Nothing to learn from, said so that every parameter still takes part."""
        nothing = torch.stack([parameter.sum() for parameter in self.parameters()]).sum() * 0
        return {
            name: nothing.detach() if name.startswith("num_") else nothing
            for name in self.loss.names
        }


def pad_to_multiple(
    frames: Shaped[Tensor, "T B C H W"], multiple: int
) -> Shaped[Tensor, "T B C h w"]:
    """Frames with zeros added at the bottom and on the right up to a multiple of `multiple` px."""
    height, width = frames.shape[-2:]
    right, bottom = -width % multiple, -height % multiple
    return pad(frames, (0, right, 0, bottom)) if right or bottom else frames


def _check_state(state: State, num_lanes: int) -> None:
    lanes = {len(memory) for memory in state}
    if lanes - {num_lanes}:
        raise ValueError(
            f"the state remembers {sorted(lanes)} lanes, but the batch has {num_lanes}; "
            "start from an empty state when the number of lanes changes"
        )


class Config(DetectorConfig):
    """Settings of RVT; the defaults are those of RVT-Base.

    Attributes:
        backbone: What turns representations into feature maps.
        cell: What carries them from window to window.
        neck: What merges the maps of several strides.
        head: What reads boxes off them.
        loss: What compares boxes with ground truth.
        neck_stages: Stages of the backbone that the neck merges, counted from 1.
    """

    kind: Literal["rvt"] = "rvt"
    backbone: BackboneConfig = Field(default_factory=maxvit.Config)
    cell: CellConfig = Field(default_factory=conv_lstm.Config)
    neck: NeckConfig = Field(default_factory=pafpn.Config)
    head: HeadConfig = Field(default_factory=yolox.Config)
    loss: LossConfig = Field(default_factory=yolox_loss.Config)
    neck_stages: tuple[int, ...] = Field(default=(2, 3, 4), min_length=1)

    @model_validator(mode="after")
    def _check_stages(self) -> "Config":
        if list(self.neck_stages) != sorted(set(self.neck_stages)) or self.neck_stages[0] < 1:
            raise ValueError(f"neck_stages must rise and count from 1, not {self.neck_stages}")
        return self

    @override
    def build(self, in_channels: int, num_classes: int) -> RVT:
        backbone = self.backbone.build(in_channels, self.cell)
        if self.neck_stages[-1] > len(backbone.channels):
            raise ValueError(
                f"neck_stages names stage {self.neck_stages[-1]}, "
                f"but the backbone has {len(backbone.channels)}"
            )
        neck = self.neck.build(tuple(backbone.channels[stage - 1] for stage in self.neck_stages))
        strides = tuple(backbone.strides[stage - 1] for stage in self.neck_stages)
        head = self.head.build(neck.channels, strides, num_classes)
        return RVT(backbone, neck, head, self.loss.build(num_classes), self.neck_stages)
