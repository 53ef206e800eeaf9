"""RVT: a recurrent backbone, a refinement, a neck, a head, a loss and an auxiliary task."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Literal

import torch
from jaxtyping import Float, Shaped
from pydantic import Field, PositiveInt, model_validator
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, none
from etram_pipeline.models.backbones import Backbone, BackboneConfig, maxvit
from etram_pipeline.models.cells import CellConfig, conv_lstm
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.comparable import Comparable, Seen
from etram_pipeline.models.detector import DenseDetector, Losses, State, check_lanes, reset_state
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.execution import Execution
from etram_pipeline.models.heads import Head, HeadConfig, yolox
from etram_pipeline.models.keyframes import learn_keyframes
from etram_pipeline.models.losses import DetectionLoss, LossConfig
from etram_pipeline.models.losses import yolox as yolox_loss
from etram_pipeline.models.necks import FeatureMaps, Neck, NeckConfig, pafpn
from etram_pipeline.models.postprocess import keep_visible, suppress
from etram_pipeline.models.refinements import ClipMaps, Refinement, RefinementConfig, identity
from etram_pipeline.models.resizing import (
    frame_size,
    pad_to_multiple,
    resize_boxes,
    resize_frames,
)
from etram_pipeline.models.workload import BytesPerPx, Workload

BYTES_PER_CHANNEL_PX = BytesPerPx(training=30, detection=6)
"""Memory for each pixel of a window and each channel of the first stage, at the usual patches.

Measured with 16, 32 and 64 channels: training 32 to 36 for a single window and 25 for five in
sequence; detection 6 to 8 for a single window, and less where windows are computed one by one.
"""

USUAL_PATCH_PX = 4


class RVT(DenseDetector, Comparable):
    """Recurrent vision transformer for event cameras.

    The backbone computes every window, neck and head only the keyframes. Frames are resized if the
    settings give a size, then padded at the bottom and on the right to what the backbone needs.

    Source: Gehrig and Scaramuzza, "Recurrent Vision Transformers for Object Detection with Event
    Cameras", CVPR 2023; uzh-rpg/RVT.
    """

    computes_lanes_apart: ClassVar[bool] = True
    execution_choices: ClassVar[frozenset[str]] = frozenset(Execution.model_fields)

    def __init__(self, parts: "RVTParts", config: "Config") -> None:
        super().__init__()
        self.backbone, self.refinement, self.neck = parts.backbone, parts.refinement, parts.neck
        self.head, self.loss, self.auxiliary = parts.head, parts.loss, parts.auxiliary
        self.neck_stages, self.input_size = config.neck_stages, config.input_size
        self.num_memories = self.backbone.num_memories + self.refinement.num_memories
        self.has_memory = self.num_memories > 0
        self.size_multiple = parts.backbone.size_multiple

    @override
    def forward(
        self, frames: Shaped[Tensor, "T B C H W"], state: State | None = None
    ) -> tuple[Float[Tensor, "T B anchors outputs"], State]:
        padded = self._prepare(frames, self.size_of(frames))
        features, state = self._extract(padded, state or ())
        maps = self._merge(features, padded, lambda of_windows: of_windows.flatten(0, 1))
        stacked = self._in_frame_px(self.head(maps).stacked(), frames)
        return stacked.unflatten(0, frames.shape[:2]), state

    @override
    def losses(self, batch: SequenceBatch, state: State) -> tuple[Losses, State]:
        before = reset_state(state, batch.starts)
        return learn_keyframes(self, batch, partial(self._learn, before))

    @override
    def detect(
        self, batch: SequenceBatch, state: State, suppression: SuppressionSettings
    ) -> tuple[list[Detections], State]:
        before = reset_state(state, batch.starts)
        if len(batch.keyframes) == 0:
            padded = self._prepare(batch.frames, self.size_of(batch.frames))
            return [], self._extract(padded, before)[1]
        seen, after = self.keyframe_features(batch, before)
        stacked = self._in_frame_px(seen.predictions.stacked(), batch.frames)
        height, width = frame_size(batch.frames)
        detections = [
            keep_visible(found, height, width, suppression.max_detections)
            for found in suppress(stacked, suppression)
        ]
        return detections, after

    @override
    def look(self, batch: SequenceBatch, size: tuple[int, int], state: State) -> tuple[Seen, State]:
        padded = self._prepare(batch.frames, size)
        features, after = self._extract(padded, state)
        maps = self._merge(features, padded, batch.select_keyframes)
        return Seen(size, self.head(maps), maps), after

    @override
    def execute_with(self, execution: Execution) -> None:
        super().execute_with(execution)
        self.backbone.execute_with(execution)
        if execution.compile:
            self.neck.compile()
            self.head.compile()

    def _prepare(
        self, frames: Shaped[Tensor, "T B C H W"], size: tuple[int, int]
    ) -> Shaped[Tensor, "T B C h w"]:
        """Frames as the backbone and the neck read them, resized to this size and padded."""
        return pad_to_multiple(resize_frames(frames, *size), self.backbone.size_multiple)

    def _extract(self, padded: Shaped[Tensor, "T B C H W"], state: State) -> tuple[ClipMaps, State]:
        """Maps of the stages the neck merges, and the state after the last window."""
        check_lanes(state, num_lanes=padded.shape[1])
        of_backbone, of_refinement = (
            state[: self.backbone.num_memories],
            state[self.backbone.num_memories : self.num_memories],
        )
        features, of_backbone = self.backbone(padded, of_backbone)
        chosen = tuple(features[stage - 1] for stage in self.neck_stages)
        refined, of_refinement = self.refinement(chosen, of_refinement)
        return refined, of_backbone + of_refinement

    def _merge(
        self, features: ClipMaps, padded: Tensor, select: Callable[[Tensor], Tensor]
    ) -> FeatureMaps:
        """Merged maps of the windows that `select` takes out of clips."""
        read = select(padded) if self.neck.reads_frames else None
        merged: FeatureMaps = self.neck(tuple(select(maps) for maps in features), read)
        return merged

    def _in_frame_px(
        self, stacked: Float[Tensor, "K A outputs"], frames: Tensor
    ) -> Float[Tensor, "K A outputs"]:
        boxes, rest = stacked.split([4, stacked.shape[-1] - 4], dim=-1)
        boxes = resize_boxes(boxes, self.size_of(frames), frame_size(frames))
        return torch.cat([boxes, rest], dim=-1)


@dataclass(frozen=True)
class RVTParts:
    """The parts of an `RVT`."""

    backbone: Backbone
    refinement: Refinement
    neck: Neck
    head: Head
    loss: DetectionLoss
    auxiliary: Auxiliary


class Config(DetectorConfig):
    """Settings of RVT; the defaults are those of RVT-Base.

    Attributes:
        backbone: Turns representations into feature maps.
        cell: Recurrence over the feature maps of all windows.
        refinement: Changes the maps before they are merged; none in RVT.
        neck: Merges the maps of several strides.
        head: Predicts boxes and classes from the merged maps.
        loss: Compares predictions with ground truth.
        auxiliary: Auxiliary task in training; none in RVT.
        neck_stages: Stages of the backbone that the neck merges, counted from 1, up to its last
            one; RVT merges 2, 3 and 4.
        input_size: Height and width in px that frames are resized to inside the detector; None: no
            resizing, as in RVT. Detections are in px of the frames in both cases.
    """

    kind: Literal["rvt"] = "rvt"
    backbone: BackboneConfig = Field(default_factory=maxvit.Config)
    cell: CellConfig = Field(default_factory=conv_lstm.Config)
    refinement: RefinementConfig = Field(default_factory=identity.Config)
    neck: NeckConfig = Field(default_factory=pafpn.Config)
    head: HeadConfig = Field(default_factory=yolox.Config)
    loss: LossConfig = Field(default_factory=yolox_loss.Config)
    auxiliary: AuxiliaryConfig = Field(default_factory=none.Config)
    neck_stages: tuple[int, ...] = Field(default=(2, 3, 4), min_length=1)
    input_size: tuple[PositiveInt, PositiveInt] | None = None

    @model_validator(mode="after")
    def _check_stages(self) -> "Config":
        first, last = self.neck_stages[0], self.neck_stages[-1]
        if first < 1 or self.neck_stages != tuple(range(first, last + 1)):
            raise ValueError(
                "neck_stages must count from 1 and leave none out in between, as the neck merges "
                f"maps of neighbouring sizes, not {list(self.neck_stages)}"
            )
        return self

    @override
    def build(self, in_channels: int, num_classes: int) -> RVT:
        backbone = self.backbone.build(in_channels, self.cell)
        if self.neck_stages[-1] > len(backbone.channels):
            raise SettingsError(
                f"detector.neck_stages names stage {self.neck_stages[-1]}, "
                f"but the backbone has {len(backbone.channels)}, counted from 1"
            )
        if self.neck_stages[-1] < len(backbone.channels):
            raise SettingsError(
                f"detector.neck_stages ends with stage {self.neck_stages[-1]} of the backbone's "
                f"{len(backbone.channels)}: those after it would be computed in vain and never "
                "learn; leave them out of detector.backbone"
            )
        channels = tuple(backbone.channels[stage - 1] for stage in self.neck_stages)
        strides = tuple(backbone.strides[stage - 1] for stage in self.neck_stages)
        neck = self.neck.build(channels, strides, in_channels)
        parts = RVTParts(
            backbone=backbone,
            refinement=self.refinement.build(channels, strides),
            neck=neck,
            head=self.head.build(neck.channels, strides, num_classes),
            loss=self.loss.build(num_classes),
            auxiliary=self.auxiliary.build(neck.channels, strides, num_classes),
        )
        return RVT(parts, self)

    @property
    @override
    def export_fault(self) -> str:
        return self.neck.export_fault

    @override
    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Per pixel of all windows; for backbones other than `maxvit`, that of RVT-Tiny."""
        helping = self.auxiliary.working_bytes(load, partial(self._bytes, load)) if training else 0
        return self._bytes(load, training) + helping

    def _bytes(self, load: Workload, training: bool) -> float:  # noqa: FBT001
        """Without the auxiliary task."""
        if not isinstance(self.backbone, maxvit.Config):
            return super().working_bytes(load, training=training)
        strided = (USUAL_PATCH_PX / self.backbone.patch_size) ** 2
        channel_px = load.window_px(self.input_size) * self.backbone.embed_dim * strided
        return BYTES_PER_CHANNEL_PX.of(channel_px, training=training)

    @override
    def for_classes(self, classes: TrainingClasses) -> "Config":
        found = {
            "loss": self.loss.for_classes(classes),
            "auxiliary": self.auxiliary.for_classes(classes),
        }
        return self.model_copy(update=found)

    @override
    def check_clips(self, clips: TrainingClips) -> None:
        self.auxiliary.check_clips(clips)
