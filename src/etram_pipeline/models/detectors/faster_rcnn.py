"""Faster R-CNN of torchvision, with a feature pyramid on a ResNet."""

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float, Int64
from pydantic import Field, PositiveFloat, PositiveInt, model_validator
from torch import Tensor
from torch.nn.functional import cross_entropy
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.roi_heads import fastrcnn_loss
from torchvision.ops import clip_boxes_to_image
from typing_extensions import override

from etram_pipeline.core.batch import Detections, Targets
from etram_pipeline.core.component import Settings
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.frame_detector import FrameDetector
from etram_pipeline.models.nms import batched_nms
from etram_pipeline.models.resizing import frame_size
from etram_pipeline.models.torchvision_rcnn import (
    NUM_LEVELS,
    POOLED,
    RCNNSizes,
    build_rcnn,
    widened,
)
from etram_pipeline.models.workload import BytesPerPx, Workload

BASELINE_SIZES = ((32.0,), (64.0,), (128.0,), (256.0,), (512.0,))

BYTES_PER_PX = {
    "resnet18": BytesPerPx(training=1150, detection=300),
    "resnet34": BytesPerPx(training=1300, detection=300),
    "resnet50": BytesPerPx(training=2100, detection=300),
}
"""Memory of backbone and pyramid, measured for `resnet18` and `resnet50` with 20 channels."""

_PROPOSAL_CONVOLUTION = re.compile(r"^(rpn\.head\.conv)\.(weight|bias)$")
_PYRAMID_CONVOLUTION = re.compile(r"^(backbone\.fpn\.\w+_blocks\.\d)\.(weight|bias)$")
"""Older names of convolutions, which are now part of a block."""


class FasterRCNN(FrameDetector):
    """Detector in two stages: proposals from anchors, then a class and a better box for each.

    The network is torchvision's, with the names of its weights. Its own resizing, padding and
    normalisation are left out, because every `FrameDetector` has them.

    Source: Ren et al., "Faster R-CNN", NeurIPS 2015; Lin et al., "Feature Pyramid Networks for
    Object Detection", CVPR 2017; torchvision models/detection.
    """

    # The coarsest map has this stride; torchvision derives strides from sizes, rounding down.
    size_multiple = 64
    # Computing activations twice would count twice in the statistics of batch normalisation.
    execution_choices: ClassVar[frozenset[str]] = frozenset({"compile"})
    compiled_parts = ("backbone",)

    def __init__(self, network: Any, config: "Config") -> None:  # noqa: ANN401, untyped torchvision
        super().__init__()
        self.backbone, self.rpn = network.backbone, network.rpn
        self.roi_heads = network.roi_heads
        self.input_size, self.count_scale = config.input_size, config.count_scale
        self._focal = config.focal

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        images, maps = self._see(frames)
        wanted = [
            # Class 0 of torchvision is the background.
            {"boxes": target.boxes_xyxy, "labels": target.class_ids + 1}
            for target in targets
        ]
        proposals, proposal_losses = self.rpn(images, maps, wanted)
        proposals, _, labels, offsets = self.roi_heads.select_training_samples(proposals, wanted)
        logits, found = self._classify(maps, proposals, images)
        classification, box = fastrcnn_loss(logits, found, labels, offsets)
        of_samples = torch.cat(labels)
        if self._focal is not None:
            classification = focal_loss(logits, of_samples, self._focal)
        return {
            "classification": classification,
            "box": box,
            "num_foreground": (of_samples > 0).sum().to(logits.dtype),
            **{name.removeprefix("loss_"): loss for name, loss in proposal_losses.items()},
        }

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        images, maps = self._see(frames)
        proposals, _ = self.rpn(images, maps)
        logits, found = self._classify(maps, proposals, images)
        counts = [len(of_frame) for of_frame in proposals]
        boxes = self.roi_heads.box_coder.decode(found, proposals).split(counts)
        scores = logits.softmax(-1).split(counts)
        return [
            _choose(
                clip_boxes_to_image(of_frame, frame_size(frames))[:, 1:],
                scored[:, 1:],
                suppression,
            )
            for of_frame, scored in zip(boxes, scores, strict=True)
        ]

    @override
    def translate_weights(self, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Weights of torchvision's Faster R-CNN, of any version, or of its ResNets."""
        named = {_current_name(name): tensor for name, tensor in weights.items()}
        if any(name.startswith("backbone.") for name in named):
            return named
        return {f"backbone.body.{name}": tensor for name, tensor in named.items()}

    def _see(self, frames: Float[Tensor, "K C H W"]) -> tuple[Any, dict[str, Tensor]]:
        maps = {name: widened(level) for name, level in self.backbone(frames).items()}
        return ImageList(frames, [frame_size(frames)] * len(frames)), maps

    def _classify(
        self,
        maps: dict[str, Tensor],
        proposals: list[Tensor],
        images: Any,  # noqa: ANN401, untyped torchvision
    ) -> tuple[Float[Tensor, "P classes"], Float[Tensor, "P classes*4"]]:
        pooled = self.roi_heads.box_roi_pool(maps, proposals, images.image_sizes)
        logits, offsets = self.roi_heads.box_predictor(self.roi_heads.box_head(pooled))
        return widened(logits), widened(offsets)


def focal_loss(
    logits: Float[Tensor, "P classes"], labels: Int64[Tensor, " P"], focal: "FocalSettings"
) -> Float[Tensor, ""]:
    """Softmax cross-entropy times a power of the error, averaged over all proposals.

    Args:
        logits: Of the background, which is class 0, and of every class.
        labels: Class of each proposal.
        focal: Weights.
    """
    errors = cross_entropy(logits, labels, reduction="none")
    weights = torch.where(labels > 0, focal.alpha, 1 - focal.alpha)
    return (weights * (1 - torch.exp(-errors)) ** focal.gamma * errors).mean()


def _choose(
    boxes: Float[Tensor, "P classes 4"],
    scores: Float[Tensor, "P classes"],
    suppression: SuppressionSettings,
) -> Detections:
    """Detections of one frame, best first; a proposal can be detected once as each class."""
    kept, class_ids = (scores >= suppression.score_threshold).nonzero().unbind(1)
    likely = Detections(boxes[kept, class_ids], class_ids, scores[kept, class_ids])
    groups = class_ids * (not suppression.class_agnostic)
    best = batched_nms(likely.boxes_xyxy, likely.scores, groups, suppression.iou_threshold)
    return likely.select(best)


def _current_name(name: str) -> str:
    """Name of a weight in today's torchvision; its published files have older ones."""
    name = _PROPOSAL_CONVOLUTION.sub(r"\1.0.0.\2", name)
    return _PYRAMID_CONVOLUTION.sub(r"\1.0.\2", name)


class AnchorSettings(Settings):
    """Boxes that proposals start from, at every place of the five maps.

    Attributes:
        sizes: Square roots of their areas in px, for the maps of stride 4, 8, 16, 32 and 64. Each
            map has the same number of them.
        aspect_ratios: Their heights divided by their widths.
    """

    sizes: tuple[tuple[PositiveFloat, ...], ...] = BASELINE_SIZES
    aspect_ratios: tuple[PositiveFloat, ...] = Field(default=(0.5, 1.0, 2.0), min_length=1)

    @model_validator(mode="after")
    def _check_sizes(self) -> "AnchorSettings":
        counts = [len(of_level) for of_level in self.sizes]
        if len(counts) != NUM_LEVELS or len(set(counts)) != 1 or not counts[0]:
            raise ValueError(
                f"sizes must be {NUM_LEVELS} lists of equal length, one for each map, not "
                f"{[list(of_level) for of_level in self.sizes]}"
            )
        return self


class FocalSettings(Settings):
    """Focal loss of the second stage, which weighs proposals that are classified well less.

    Scores are then no probabilities: with `alpha` 0.25, a proposal that holds an object in 3 of 4
    cases gets a score of 0.5. AP, which depends on the order of scores alone, is not affected if
    the score threshold is low; a threshold for operation must be chosen with the trained detector.

    Source: Lin et al., "Focal Loss for Dense Object Detection", ICCV 2017, eq. 5, with the softmax
    in place of the sigmoid.

    Attributes:
        alpha: Weight of objects; the background has the weight 1 - alpha.
        gamma: Power of the error; with 0 all errors count alike.
    """

    alpha: float = Field(default=0.25, gt=0, lt=1)
    gamma: float = Field(default=2.0, ge=0)


class Config(DetectorConfig):
    """Settings of Faster R-CNN.

    `train.start_from` takes weights of torchvision: of a Faster R-CNN with a ResNet and a feature
    pyramid, or of a ResNet alone. For the training at several short sides of publications, divide
    them by the short side of detection: `train.resolution.scales`.

    Attributes:
        backbone: ResNet of torchvision that turns frames into feature maps.
        batch_norm: Whether the statistics and factors of its batch normalisation are learnt, or
            remain as in the weights that `train.start_from` names. The latter is the published
            recipe; from random weights, learn them.
        fpn_channels: Channels of the feature pyramid; torchvision's weights have 256.
        head_dim: Features of each proposal; torchvision's weights have 1024.
        anchors: Boxes that proposals start from.
        proposals: Proposals of each frame in detection; training makes twice as many.
        sampled_proposals: Proposals of each frame that the second stage learns from, at most a
            quarter of them objects.
        focal: Focal loss of the second stage; None: cross-entropy.
        count_scale: Number that counts of events are divided by.
        input_size: Height and width in px that frames are resized to inside the detector; None: no
            resizing. Detections are in px of the frames in both cases.
    """

    kind: Literal["faster_rcnn"] = "faster_rcnn"
    backbone: Literal["resnet18", "resnet34", "resnet50"] = "resnet50"
    batch_norm: Literal["learnt", "frozen"] = "learnt"
    fpn_channels: PositiveInt = 256
    head_dim: PositiveInt = 1024
    anchors: AnchorSettings = AnchorSettings()
    proposals: PositiveInt = 1000
    sampled_proposals: PositiveInt = 512
    focal: FocalSettings | None = None
    count_scale: PositiveFloat = 10.0
    input_size: tuple[PositiveInt, PositiveInt] | None = None

    @override
    def build(self, in_channels: int, num_classes: int) -> FasterRCNN:
        network = build_rcnn(
            self.backbone,
            RCNNSizes(
                in_channels=in_channels,
                num_classes=num_classes + 1,
                fpn_channels=self.fpn_channels,
                head_dim=self.head_dim,
                anchor_sizes=self.anchors.sizes,
                aspect_ratios=self.anchors.aspect_ratios,
                proposals=self.proposals,
                sampled_proposals=self.sampled_proposals,
            ),
            frozen_norm=self.batch_norm == "frozen",
        )
        return FasterRCNN(network, self)

    @property
    @override
    def export_fault(self) -> str:
        return (
            "its second stage computes as many boxes as the first one proposes, and their number "
            "differs from frame to frame"
        )

    @override
    def working_bytes(self, load: Workload, *, training: bool) -> float:
        """Per pixel of the keyframes, and the features of each proposal.

        In detection these exist twice at the peak.
        """
        maps = BYTES_PER_PX[self.backbone].of(load.keyframe_px(self.input_size), training=training)
        cut_out = self.sampled_proposals if training else 2 * self.proposals
        features = cut_out * self.fpn_channels * POOLED**2 * 4
        return maps + load.num_keyframes * features
