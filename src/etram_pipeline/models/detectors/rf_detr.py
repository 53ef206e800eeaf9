"""RF-DETR: a vision transformer and a decoder of queries, through transformers."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, PositiveFloat, PositiveInt, field_validator, model_validator
from torch import Tensor
from torch.nn.functional import interpolate
from typing_extensions import override

from etram_pipeline.core.batch import Detections, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import as_shares, cxcywh_to_xyxy
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.frame_detector import FrameDetector
from etram_pipeline.models.postprocess import keep_visible
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.models.resizing import frame_size, resize_boxes
from etram_pipeline.models.rf_detr.sizes import NOT_APACHE, SIZES, Shape, SizeName
from etram_pipeline.models.rf_detr.weights import translate
from etram_pipeline.models.transformers_library import require_transformers
from etram_pipeline.models.workload import Workload
from etram_pipeline.streaming.description import Selection

if TYPE_CHECKING:
    from etram_pipeline.models.rf_detr.matching import NormalisedTargets
    from etram_pipeline.models.rf_detr.network import RFDETRNetwork
    from etram_pipeline.models.rf_detr.outputs import LayerOutput, MaskOutput

MASKS_AT_ONCE = 32
"""Masks that are enlarged together, to bound the memory."""

TOKEN_BYTES, QUERY_BYTES = 80, 52_000
"""Memory in training: per patch, layer and channel of the encoder; per query and decoder layer.

Fitted to `nano` (647 MB for a frame) and `small` (959 MB); the masks of `seg_` sizes come on top.
"""

QUERY_GROUPS = 13
"""Sets of queries that training computes side by side, as published."""

DETECTION_BYTES_PER_PX = 180
"""Memory in detection per pixel of a resized frame, measured with 20 channels."""


class RFDETR(FrameDetector):
    """Detector of single frames that predicts a set of objects, without suppression.

    Of `SuppressionSettings`, only `score_threshold` and `max_detections` apply: each query is
    trained to find another object, so overlapping boxes are not dropped.

    Source: see `RFDETRNetwork`.
    """

    selection: ClassVar[Selection] = "best"

    def __init__(self, network: "RFDETRNetwork", config: "Config") -> None:
        super().__init__()
        self.network = network
        self.has_masks, self.size_multiple = config.shape.has_masks, config.shape.multiple
        self.input_size, self.count_scale = config.frame_size, config.count_scale

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        from etram_pipeline.models.rf_detr.criterion import compute_losses

        size = frame_size(frames)
        wanted = [self._normalised(target, size) for target in targets]
        groups = self.network.num_groups if self.training else 1
        return compute_losses(self.network(frames), wanted, groups)

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        last = self.network(frames)[-1].float()
        size = frame_size(frames)
        return [_detect(last, frame, size, suppression) for frame in range(len(frames))]

    @override
    def predict_in(self, features: Float[Tensor, "K C H W"]) -> WindowPredictions:
        last = self.network(features)[-1].float()
        boxes_xyxy = resize_boxes(cxcywh_to_xyxy(last.boxes), (1, 1), frame_size(features))
        scores = last.logits.sigmoid()
        return WindowPredictions(boxes_xyxy, torch.ones_like(scores[..., :1]), scores)

    @override
    def translate_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        own = self.network.state_dict()
        found = translate(weights, own, self.network.num_groups)
        return {f"network.{name}": tensor for name, tensor in found.items()}

    def _normalised(self, target: Targets, size: tuple[int, int]) -> "NormalisedTargets":
        from etram_pipeline.models.rf_detr.matching import NormalisedTargets

        masks = self._masks(target, size) if self.has_masks else None
        return NormalisedTargets(target.class_ids, as_shares(target.boxes_xyxy, size), masks)

    def _masks(self, target: Targets, size: tuple[int, int]) -> Tensor:
        if target.masks is not None:
            return target.masks
        if len(target.class_ids):
            raise SettingsError(
                "this size of rf_detr learns the masks of objects, but the labels have boxes only: "
                "choose a size without `seg_`, or labels with masks"
            )
        return torch.zeros(0, *size, dtype=torch.bool, device=target.class_ids.device)


def _detect(
    layer: "LayerOutput", frame: int, size: tuple[int, int], suppression: SuppressionSettings
) -> Detections:
    scores = layer.logits[frame].sigmoid()
    num_classes = scores.shape[1]
    best, order = scores.flatten().sort(descending=True, stable=True)
    likely = order[: int((best >= suppression.score_threshold).sum())]
    queries = likely.div(num_classes, rounding_mode="floor")
    boxes = resize_boxes(cxcywh_to_xyxy(layer.boxes[frame, queries]), (1, 1), size)
    found = Detections(boxes, likely % num_classes, best[: len(likely)])
    if layer.masks is None:
        return found
    # Masks are large: only those that are returned are made.
    numbered = replace(found, class_ids=torch.arange(len(likely), device=likely.device))
    kept = keep_visible(numbered, *size, suppression.max_detections).class_ids
    masks = _draw_masks(layer.masks, frame, queries[kept], size)
    return replace(found.select(kept), masks=masks)


def _draw_masks(masks: "MaskOutput", frame: int, queries: Tensor, size: tuple[int, int]) -> Tensor:
    """Masks of some queries in px of the frame."""
    drawn = [
        interpolate(masks.logits(frame, some).unsqueeze(1), size, mode="bilinear").squeeze(1) > 0
        for some in queries.split(MASKS_AT_ONCE)
    ]
    return torch.cat(drawn)


class Config(DetectorConfig):
    """Settings of RF-DETR.

    Attributes:
        size: Published size. Those that begin with `seg_` also predict masks and need labels with
            masks.
        input_size: Height and width in px that frames are resized to inside the detector, multiples
            of 32 (`seg_nano`: 12, other `seg_` sizes: 24); None: the square of the size. Detections
            are in px of the frames in both cases.
        num_queries: Maximum number of objects in a frame; None: as the size has.
        decoder_layers: Layers of the decoder; None: as the size has.
        encoder_layers: Layers of the encoder, a multiple of 4; None: 12, as published.
        encoder_dim: Channels of the encoder; None: 384, as published.
        count_scale: Number that counts of events are divided by.
    """

    kind: Literal["rf_detr"] = "rf_detr"
    size: SizeName = "nano"
    input_size: tuple[PositiveInt, PositiveInt] | None = None
    num_queries: PositiveInt | None = None
    decoder_layers: PositiveInt | None = None
    encoder_layers: PositiveInt | None = Field(default=None, multiple_of=4)
    encoder_dim: PositiveInt | None = None
    count_scale: PositiveFloat = 10.0

    @property
    def shape(self) -> Shape:
        """The network that these settings describe."""
        changes = {
            name: value
            for name in ("num_queries", "decoder_layers", "encoder_layers", "encoder_dim")
            if (value := getattr(self, name)) is not None
        }
        return replace(SIZES[self.size], **changes)

    @property
    def frame_size(self) -> tuple[int, int]:
        """Height and width in px of the frames that the network sees."""
        side = SIZES[self.size].resolution
        return self.input_size or (side, side)

    @property
    @override
    def needs_masks(self) -> bool:
        return SIZES[self.size].has_masks

    @override
    def build(self, in_channels: int, num_classes: int) -> RFDETR:
        require_transformers(self.kind)
        from etram_pipeline.models.rf_detr.network import RFDETRNetwork

        return RFDETR(RFDETRNetwork(self.shape, in_channels, num_classes), self)

    @property
    @override
    def export_fault(self) -> str:
        return ""

    @override
    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Per keyframe, whose size is fixed: its patches, and the queries of all groups."""
        if not training:
            return DETECTION_BYTES_PER_PX * load.keyframe_px(self.frame_size)
        shape = self.shape
        num_tokens = shape.num_tokens(*self.frame_size)
        encoder = TOKEN_BYTES * num_tokens * shape.encoder_layers * shape.encoder_dim
        num_queries = QUERY_GROUPS * shape.num_queries
        return load.num_keyframes * (encoder + QUERY_BYTES * num_queries * shape.decoder_layers)

    @field_validator("size", mode="before")
    @classmethod
    def _check_licence(cls, size: object) -> object:
        if size in NOT_APACHE:
            raise ValueError(
                f"{size} is published under the Platform Model License 1.0, not under Apache 2.0, "
                "and is not part of this project; the largest size here is large"
            )
        return size

    @field_validator("encoder_dim")
    @classmethod
    def _check_dim(cls, dim: int | None) -> int | None:
        heads = max((dim or 64) // 64, 1)
        if dim is not None and dim % heads:
            raise ValueError(
                f"{dim} is not a multiple of its {heads} attention heads: take a multiple of 64"
            )
        return dim

    @model_validator(mode="after")
    def _check_frames(self) -> "Config":
        (height, width), shape = self.frame_size, self.shape
        step = shape.multiple
        if height % step or width % step:
            smaller, larger = (
                [max(side // step + more, 1) * step for side in (height, width)] for more in (0, 1)
            )
            raise ValueError(
                f"input_size is {height} x {width}, but {self.size} needs multiples of {step} px "
                f"({shape.num_windows} windows of patches of {shape.patch_size} px): take "
                f"{smaller} or {larger}"
            )
        tokens = shape.num_tokens(height, width)
        if tokens < shape.num_queries:
            raise ValueError(
                f"num_queries is {shape.num_queries}, but frames of {height} x {width} px have "
                f"only {tokens} patches to start them from: set num_queries to at most {tokens}, "
                "or a larger input_size"
            )
        return self
