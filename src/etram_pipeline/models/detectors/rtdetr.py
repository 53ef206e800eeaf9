"""RT-DETR: a convolutional backbone, an encoder, an optional memory, and a decoder of queries."""

from collections.abc import Mapping
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from pydantic import Field, NonNegativeInt, PositiveFloat, PositiveInt
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch, Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.cells import identity
from etram_pipeline.models.detector import Losses, State
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.keyframe_detector import KeyframeDetector
from etram_pipeline.models.necks import FeatureMaps
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.models.resizing import resize_boxes
from etram_pipeline.models.rtdetr.losses import detection_losses, normalised
from etram_pipeline.models.rtdetr.memory import MapMemory, MemorySettings
from etram_pipeline.models.rtdetr.network import (
    NUM_HEADS,
    PUBLISHED,
    STRIDES,
    Backbone,
    Shape,
    build_network,
    decode,
    encode,
)
from etram_pipeline.models.workload import BytesPerPx, Workload
from etram_pipeline.streaming.description import Selection

BYTES_PER_PX = {
    "resnet18": BytesPerPx(training=1600, detection=300),
    "resnet34": BytesPerPx(training=1900, detection=300),
    "resnet50": BytesPerPx(training=3030, detection=330),
}
"""Memory of backbone and encoder as published, measured with 20 channels; `resnet34` is not."""

CELL_BYTES_PER_PX = BytesPerPx(training=210, detection=30)
"""Memory of `conv_lstm` on the encoder's maps of 256 channels, for each pixel of a window."""

QUERY_BYTES = 26_000
"""Memory of a query in each layer of the decoder in training, with 256 channels."""

HEADS = ("class_embed.", "bbox_embed.")
"""What transformers names twice, inside the decoder and outside."""


class RTDETR(KeyframeDetector[FeatureMaps]):
    """RT-DETRv2, optionally with a recurrent cell on each map between encoder and decoder.

    With a memory, backbone, encoder and cells compute every window, the decoder only the keyframes;
    without, only keyframes are computed. Each query detects its own objects, so no boxes are
    suppressed: of `suppression`, the threshold of the score and the number of detections apply.

    Source: Lv et al., "RT-DETRv2", arXiv 2407.17140; transformers `RTDetrV2ForObjectDetection`. For
    the memory: Torbunov et al., "EvRT-DETR", ICCV 2025.
    """

    size_multiple = STRIDES[-1]
    execution_choices: ClassVar[frozenset[str]] = frozenset({"compile"})
    compiled_parts = ("network.backbone", "network.encoder")
    selection: ClassVar[Selection] = "best_of_queries"

    def __init__(self, in_channels: int, num_classes: int, config: "Config") -> None:
        super().__init__()
        self.network = build_network(config.shape(in_channels, num_classes))
        memory = MapMemory(len(STRIDES), config.hidden_size, config.memory)
        self.has_memory = memory.num_memories > 0
        self.memory = memory if self.has_memory else None
        self.num_queries = config.num_queries
        self.input_size, self.count_scale = config.input_size, config.count_scale

    @override
    def keyframe_features(self, batch: SequenceBatch, state: State) -> tuple[FeatureMaps, State]:
        if self.memory is None:
            return encode(self.network, self.prepare(batch.select_keyframes(batch.frames))), ()
        windows = self.prepare(batch.frames)
        maps = encode(self.network, windows.flatten(0, 1))
        of_clip = tuple(each.unflatten(0, windows.shape[:2]) for each in maps)
        remembered, state = self.memory(of_clip, state)
        return tuple(batch.select_keyframes(each) for each in remembered), state

    @override
    def feature_losses(self, features: FeatureMaps, targets: tuple[Targets, ...]) -> Losses:
        labels = normalised(targets, _frame_size(features))
        output = decode(self.network, features, self.num_queries, labels)
        return detection_losses(self.network, output, labels)

    @override
    def detect_in(
        self, features: FeatureMaps, suppression: SuppressionSettings
    ) -> list[Detections]:
        found = self.predict_in(features)
        return [
            _best(of_frame, classes, suppression.score_threshold)
            for of_frame, classes in zip(found.boxes_xyxy, found.class_scores, strict=True)
        ]

    @override
    def predict_in(self, features: FeatureMaps) -> WindowPredictions:
        output = decode(self.network, features, self.num_queries)
        logits, boxes = (
            output.intermediate_logits[:, -1],
            output.intermediate_reference_points[:, -1],
        )
        boxes_xyxy = resize_boxes(cxcywh_to_xyxy(boxes), (1, 1), _frame_size(features))
        scores = logits.to(boxes.dtype).sigmoid()
        return WindowPredictions(boxes_xyxy, torch.ones_like(scores[..., :1]), scores)

    @override
    def translate_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        inner = {name.removeprefix("model."): tensor for name, tensor in weights.items()}
        return {
            f"network.{'decoder.' if name.startswith(HEADS) else ''}{name}": tensor
            for name, tensor in inner.items()
        }


def _frame_size(maps: FeatureMaps) -> tuple[int, int]:
    """Height and width in px of the frames with these maps."""
    height, width = (side * STRIDES[0] for side in maps[0].shape[-2:])
    return height, width


def _best(
    boxes_xyxy: Float[Tensor, "Q 4"], scores: Float[Tensor, "Q C"], threshold: float
) -> Detections:
    """The best pairs of box and class, as many as there are boxes."""
    num_boxes, num_classes = scores.shape
    # Unlike `topk`, it leaves equal scores in their order, on every machine.
    best, places = scores.flatten().sort(descending=True, stable=True)
    best, places = best[:num_boxes], places[:num_boxes]
    chosen = best >= threshold
    best, places = best[chosen], places[chosen]
    queries = torch.div(places, num_classes, rounding_mode="floor")
    return Detections(boxes_xyxy[queries], places % num_classes, best)


class Config(DetectorConfig):
    """Settings of RT-DETR; the defaults are those of the smallest published size.

    Attributes:
        backbone: Backbone: a ResNet with three convolutions in its stem; it starts from random
            weights. Encoder and decoder are as wide and deep as published with it.
        width: Channels of its first stage; the others have two, four and eight times as many
            (`resnet50`: four times as many in each).
        hidden_size: Channels of the encoder's maps and of the decoder; a multiple of 8.
        decoder_layers: Layers of the decoder; None: as published: 3, 4 and 6 for the backbones.
        num_queries: Boxes of each frame; fewer in frames whose maps have fewer places.
        num_denoising: Queries that training adds, made of noisy targets.
        memory: Recurrence between encoder and decoder.
        count_scale: Number that counts of events are divided by.
        input_size: Height and width in px that frames are resized to inside the detector; None: no
            resizing. Detections are in px of the frames in both cases.
    """

    kind: Literal["rtdetr"] = "rtdetr"
    backbone: Backbone = "resnet18"
    width: PositiveInt = Field(default=64, multiple_of=2)
    hidden_size: PositiveInt = Field(default=256, multiple_of=NUM_HEADS)
    decoder_layers: PositiveInt | None = None
    num_queries: PositiveInt = 300
    num_denoising: NonNegativeInt = 100
    memory: MemorySettings = MemorySettings()
    count_scale: PositiveFloat = 1.0
    input_size: tuple[PositiveInt, PositiveInt] | None = None

    @override
    def build(self, in_channels: int, num_classes: int) -> RTDETR:
        return RTDETR(in_channels, num_classes, self)

    @property
    @override
    def export_fault(self) -> str:
        return ""

    @override
    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Per pixel of all windows with a memory, else of the keyframes, and per query."""
        num_px, decoding = load.keyframe_px(self.input_size), 0.0
        if not isinstance(self.memory.cell, identity.Config):
            num_px = load.window_px(self.input_size)
            decoding += CELL_BYTES_PER_PX.of(num_px, training=training)
        if training:
            num_layers = self.decoder_layers or PUBLISHED[self.backbone].decoder_layers
            num_queries = self.num_queries + 2 * self.num_denoising
            decoding += load.num_keyframes * num_layers * num_queries * QUERY_BYTES
        maps = BYTES_PER_PX[self.backbone].of(num_px, training=training)
        return maps * self.width / 64 + decoding * self.hidden_size / 256

    def shape(self, in_channels: int, num_classes: int) -> Shape:
        """Sizes of the network."""
        return Shape(
            in_channels=in_channels,
            num_classes=num_classes,
            backbone=self.backbone,
            width=self.width,
            hidden_size=self.hidden_size,
            decoder_layers=self.decoder_layers or PUBLISHED[self.backbone].decoder_layers,
            num_queries=self.num_queries,
            num_denoising=self.num_denoising,
        )
