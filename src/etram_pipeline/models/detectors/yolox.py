"""YOLOX: a backbone of timm, a neck, a head and a loss; every frame by itself."""

from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, Literal

from pydantic import Field, PositiveFloat, PositiveInt
from torch import nn
from typing_extensions import override

from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.auxiliaries import Auxiliary, AuxiliaryConfig, none
from etram_pipeline.models.classes import TrainingClasses, TrainingClips
from etram_pipeline.models.comparable import Comparable, Seen
from etram_pipeline.models.detector import State
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.heads import Head, HeadConfig
from etram_pipeline.models.heads import yolox as yolox_head
from etram_pipeline.models.keyframe_detector import KeyframeDetector
from etram_pipeline.models.losses import DetectionLoss, LossConfig
from etram_pipeline.models.losses import yolox as yolox_loss
from etram_pipeline.models.necks import FeatureMaps, Neck, NeckConfig, pafpn
from etram_pipeline.models.postprocess import suppress
from etram_pipeline.models.predictions import WindowPredictions
from etram_pipeline.models.resizing import pad_to_multiple, resize_frames
from etram_pipeline.models.workload import BytesPerPx, Workload

STRIDES = (8, 16, 32)
"""Strides of the maps that the neck merges."""

TimmName = Literal[
    "lcnet_050",
    "lcnet_100",
    "cs3darknet_s",
    "cs3darknet_m",
    "cs3darknet_l",
    "cs3darknet_x",
    "resnet18",
    "resnet34",
    "resnet50",
]
"""Models of timm that return maps of these strides and read any number of channels."""

BYTES_PER_PX: dict[TimmName, BytesPerPx] = {
    "lcnet_050": BytesPerPx(training=870, detection=270),
    "lcnet_100": BytesPerPx(training=1350, detection=270),
    "cs3darknet_s": BytesPerPx(training=1310, detection=270),
    "cs3darknet_m": BytesPerPx(training=1620, detection=270),
    "cs3darknet_l": BytesPerPx(training=2510, detection=270),
    "cs3darknet_x": BytesPerPx(training=3400, detection=270),
    "resnet18": BytesPerPx(training=1340, detection=270),
    "resnet34": BytesPerPx(training=1500, detection=270),
    "resnet50": BytesPerPx(training=3400, detection=270),
}
"""Memory of each backbone with the usual neck and head, for 20 channels.

Measured for all but `lcnet_100`, `cs3darknet_x` and `resnet34`. Training takes about 300 bytes more
than the activations that are kept for gradients, which is the estimate for these three.
"""


class YOLOX(Comparable, KeyframeDetector[Seen]):
    """Detector of single frames with one anchor per cell: RVT without attention and memory.

    Source: Ge et al., "YOLOX: Exceeding YOLO Series in 2021", arXiv 2107.08430. Its backbone is
    `cs3darknet_*` but for a newer variant of the stages; its strong augmentation is left out.
    """

    has_memory = False
    size_multiple = STRIDES[-1]
    # Computing activations twice would count twice in the statistics of batch normalisation.
    execution_choices: ClassVar[frozenset[str]] = frozenset({"compile"})
    compiled_parts = ("backbone", "neck", "head")

    def __init__(self, parts: "YOLOXParts", config: "Config") -> None:
        super().__init__()
        self.backbone, self.neck = parts.backbone, parts.neck
        self.head, self.loss, self.auxiliary = parts.head, parts.loss, parts.auxiliary
        self.input_size, self.count_scale = config.input_size, config.count_scale

    @override
    def look(self, batch: SequenceBatch, size: tuple[int, int], state: State) -> tuple[Seen, State]:
        resized = resize_frames(batch.select_keyframes(batch.frames), *size)
        features = tuple(self.backbone(self.prepare_resized(resized)))
        read = pad_to_multiple(resized, self.size_multiple) if self.neck.reads_frames else None
        maps: FeatureMaps = self.neck(features, read)
        return Seen(size, self.head(maps), maps), ()

    @override
    def detect_in(self, features: Seen, suppression: SuppressionSettings) -> list[Detections]:
        return suppress(features.predictions.stacked(), suppression)

    @override
    def predict_in(self, features: Seen) -> WindowPredictions:
        return WindowPredictions.of_stacked(features.predictions.stacked())


@dataclass(frozen=True)
class YOLOXParts:
    """The parts of a `YOLOX`."""

    backbone: nn.Module
    neck: Neck
    head: Head
    loss: DetectionLoss
    auxiliary: Auxiliary


class Config(DetectorConfig):
    """Settings of YOLOX.

    Attributes:
        backbone: Model of timm that turns frames into feature maps; it starts from random weights.
            `cs3darknet_s`, `_m`, `_l` and `_x` are as wide as the backbones of YOLOX-S to -X. With
            `lcnet_050`, the detector has about as many parameters as RVT with 16 channels.
        neck: Merges the maps.
        head: Predicts boxes and classes from the merged maps.
        loss: Compares predictions with ground truth.
        auxiliary: Auxiliary task in training; none in YOLOX.
        count_scale: Number that counts of events are divided by.
        input_size: Height and width in px that frames are resized to inside the detector; None: no
            resizing. Detections are in px of the frames in both cases.
    """

    kind: Literal["yolox"] = "yolox"
    backbone: TimmName = "cs3darknet_s"
    neck: NeckConfig = Field(default_factory=lambda: pafpn.Config(num_bottlenecks=1))
    head: HeadConfig = Field(default_factory=yolox_head.Config)
    loss: LossConfig = Field(default_factory=yolox_loss.Config)
    auxiliary: AuxiliaryConfig = Field(
        default_factory=none.Config, exclude_if=lambda value: value == none.Config()
    )
    count_scale: PositiveFloat = 1.0
    input_size: tuple[PositiveInt, PositiveInt] | None = None

    @override
    def build(self, in_channels: int, num_classes: int) -> YOLOX:
        from timm import create_model

        backbone: Any = create_model(
            self.backbone,
            pretrained=False,
            features_only=True,
            in_chans=in_channels,
            out_indices=(2, 3, 4),
        )
        channels = tuple(backbone.feature_info.channels())
        neck = self.neck.build(channels, STRIDES, in_channels)
        parts = YOLOXParts(
            backbone=backbone,
            neck=neck,
            head=self.head.build(neck.channels, STRIDES, num_classes),
            loss=self.loss.build(num_classes),
            auxiliary=self.auxiliary.build(neck.channels, STRIDES, num_classes),
        )
        return YOLOX(parts, self)

    @property
    @override
    def export_fault(self) -> str:
        return self.neck.export_fault

    @override
    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Per pixel of the keyframes, depending on the backbone."""
        helping = self.auxiliary.working_bytes(load, partial(self._bytes, load)) if training else 0
        return self._bytes(load, training) + helping

    def _bytes(self, load: Workload, training: bool) -> float:  # noqa: FBT001
        """Without the auxiliary task."""
        return BYTES_PER_PX[self.backbone].of(load.keyframe_px(self.input_size), training=training)

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
