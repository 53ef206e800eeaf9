"""YOLO of Ultralytics as a detector of single frames, trained and run by etram-pipeline.

Copyright (C) the authors of etram-pipeline. This file is distributed under the GNU Affero General
Public License, version 3; see LICENSE.
"""

import os
import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Literal

import torch
from jaxtyping import Float
from pydantic import PositiveFloat, PositiveInt
from torch import Tensor, nn
from typing_extensions import override

from etram_pipeline.core.batch import Detections, Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import as_shares, xyxy_to_cxcywh
from etram_pipeline.models.detector import Losses
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.frame_detector import FrameDetector
from etram_pipeline.models.postprocess import suppress
from etram_pipeline.models.resizing import frame_size

_Version8 = Literal["yolov8n", "yolov8s", "yolov8m", "yolov8l", "yolov8x"]
_Version9 = Literal["yolov9t", "yolov9s", "yolov9m", "yolov9c", "yolov9e"]
_Version11 = Literal["yolo11n", "yolo11s", "yolo11m", "yolo11l", "yolo11x"]
_Version12 = Literal["yolo12n", "yolo12s", "yolo12m", "yolo12l", "yolo12x"]
ModelName = Literal[_Version8, _Version9, _Version11, _Version12]
"""Models whose loss needs nothing but predictions and ground truth."""

OFFLINE = {"YOLO_OFFLINE": "true", "YOLO_AUTOINSTALL": "false", "YOLO_VERBOSE": "false"}


class UltralyticsYOLO(FrameDetector):
    """A detection model of Ultralytics with its loss and our non-maximum suppression.

    Losses are those of Ultralytics for the batch, divided by the number of its frames: overlap of
    boxes (`iou`), classes (`class`) and distributions of box sides (`distribution`).
    """

    def __init__(self, network: nn.Module, config: "Config") -> None:
        super().__init__()
        self.network = network
        self.input_size, self.count_scale = config.input_size, config.count_scale
        strides: Tensor = network.stride  # type: ignore[assignment]
        self.size_multiple = int(strides.max())

    @override
    def frame_losses(
        self, frames: Float[Tensor, "K C H W"], targets: tuple[Targets, ...]
    ) -> Losses:
        found, criterion = self._predict(frames), self._criterion()
        batch = _labels(targets, frame_size(frames))
        with torch.autocast(frames.device.type, enabled=False):
            assigned, losses, _ = criterion.get_assigned_targets_and_loss(found, batch)
        iou, of_classes, distribution = losses.unbind()
        return {
            "iou": iou,
            "class": of_classes,
            "distribution": distribution,
            "num_foreground": assigned[0].sum().to(iou),
            "num_targets": iou.new_tensor(len(batch["cls"])),
        }

    @override
    def detect_frames(
        self, frames: Float[Tensor, "K C H W"], suppression: SuppressionSettings
    ) -> list[Detections]:
        found, criterion = self._predict(frames), self._criterion()
        with torch.autocast(frames.device.type, enabled=False):
            anchors, strides = _library().make_anchors(found["feats"], criterion.stride, 0.5)
            sides = found["boxes"].transpose(1, 2)
            boxes = xyxy_to_cxcywh(criterion.bbox_decode(anchors, sides) * strides)
            scores = found["scores"].transpose(1, 2).sigmoid()
        certain = torch.ones_like(scores[..., :1])  # the model has no objectness
        detections = suppress(torch.cat([boxes, certain, scores], dim=-1), suppression)
        return [replace(each, objectness=None, class_scores=None) for each in detections]

    def _predict(self, frames: Float[Tensor, "K C H W"]) -> dict[str, Any]:
        """Raw predictions in single precision: `boxes` and `scores` by anchor, and feature maps."""
        found = self.network(frames)
        raw: dict[str, Any] = found[1] if isinstance(found, tuple) else found
        return {
            "boxes": raw["boxes"].float(),
            "scores": raw["scores"].float(),
            "feats": [maps.float() for maps in raw["feats"]],
        }

    def _criterion(self) -> Any:  # noqa: ANN401  # of the library
        # Made anew, because it stays on the device that it was made for.
        return _library().DetectionLoss(self.network)


class Config(DetectorConfig):
    """Settings of a model of Ultralytics.

    Attributes:
        model: Name of the model; it starts from random weights.
        count_scale: Number that counts of events are divided by.
        input_size: Height and width in px that frames are resized to inside the detector; None: no
            resizing. Detections are in px of the frames in both cases.
    """

    kind: Literal["ultralytics"] = "ultralytics"
    model: ModelName = "yolo11n"
    count_scale: PositiveFloat = 1.0
    input_size: tuple[PositiveInt, PositiveInt] | None = None

    @override
    def build(self, in_channels: int, num_classes: int) -> UltralyticsYOLO:
        library = _library()
        plan = library.read_yaml(_file(library.models, self.model)) | {"nc": num_classes}
        if self.model[-1] in plan.get("scales", {}):
            plan["scale"] = self.model[-1]
        network = library.DetectionModel(plan, ch=in_channels, nc=num_classes, verbose=False)
        network.args = library.weights_of_losses
        for module in network.modules():
            for name, weight in list(module.named_parameters(recurse=False)):
                if not weight.requires_grad:  # constants of the library, which no optimizer changes
                    delattr(module, name)
                    module.register_buffer(name, weight.data)
        return UltralyticsYOLO(network, self)


def _file(models: Path, name: str) -> Path:
    """Description of a model; the sizes of one version share a file, except for version 9."""
    version = re.sub(r"yolov?(\d+)[a-z]", r"\1", name)
    if version == "9":
        return models / "v9" / f"{name}.yaml"
    return models / (f"v{version}" if version == "8" else version) / f"{name[:-1]}.yaml"


def _labels(targets: tuple[Targets, ...], size: tuple[int, int]) -> dict[str, Tensor]:
    """Ground truth as the library takes it: boxes as fractions of the frame."""
    boxes = torch.cat([target.boxes_xyxy for target in targets])
    numbers = [torch.full_like(each.class_ids, at) for at, each in enumerate(targets)]
    return {
        "batch_idx": torch.cat(numbers).to(boxes),
        "cls": torch.cat([target.class_ids for target in targets]).to(boxes)[:, None],
        "bboxes": as_shares(boxes, size),
    }


@dataclass(frozen=True)
class _Library:
    """What is used of Ultralytics.

    Attributes:
        DetectionModel: Its class of detection models.
        DetectionLoss: Their loss.
        make_anchors: Centres and strides of the anchors of feature maps.
        read_yaml: Reads the description of a model.
        models: Folder of the descriptions.
        weights_of_losses: Weights of the parts of the loss, as Ultralytics has them by default.
    """

    DetectionModel: Any
    DetectionLoss: Any
    make_anchors: Any
    read_yaml: Any
    models: Path
    weights_of_losses: Any


@cache
def _library() -> _Library:
    """Import Ultralytics without its side effects.

    By itself, it looks for an internet connection, writes a file of settings into the user's home,
    may report errors to its makers, replaces `torch.save`, and sets variables of the environment
    that limit the threads of processes started later.
    """
    before, save = dict(os.environ), torch.save
    with TemporaryDirectory() as folder:
        os.environ.update(OFFLINE | {"YOLO_CONFIG_DIR": folder})
        try:
            import ultralytics
            from ultralytics.nn.tasks import DetectionModel
            from ultralytics.utils import DEFAULT_CFG, ROOT, YAML
            from ultralytics.utils.loss import v8DetectionLoss
            from ultralytics.utils.tal import make_anchors

            ultralytics.settings.update(sync=False)
        finally:
            os.environ.clear()
            os.environ.update(before | OFFLINE)
            torch.save = save
            torch.set_printoptions(profile="default")
    return _Library(
        DetectionModel=DetectionModel,
        DetectionLoss=v8DetectionLoss,
        make_anchors=make_anchors,
        read_yaml=YAML.load,
        models=ROOT / "cfg" / "models",
        weights_of_losses=DEFAULT_CFG,
    )
