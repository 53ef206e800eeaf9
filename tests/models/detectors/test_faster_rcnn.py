"""Faster R-CNN: torchvision's network, its losses and its weights."""

import math
from functools import partial

import pytest
import torch
from pydantic import ValidationError
from tests.models.conftest import NUM_CHANNELS, NUM_CLASSES, MakeBatch
from tests.models.detector_choices import SMALL
from tests.models.overfit import ap50_after_overfitting
from torchvision.models.detection import FasterRCNN as TorchvisionFasterRCNN
from torchvision.models.detection import fasterrcnn_resnet50_fpn
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import resnet_fpn_backbone

from etram_pipeline.core.batch import Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detectors.faster_rcnn import (
    Config,
    FasterRCNN,
    FocalSettings,
    focal_loss,
)
from etram_pipeline.models.pretrained import fitting_weights

MULTISCALE = (
    (8, 12, 16),
    (24, 32, 40),
    (48, 64, 80),
    (96, 128, 160),
    (192, 224, 256),
)

SIZE = 64


def small(**settings: object) -> Config:
    return Config.model_validate(SMALL["faster_rcnn"] | settings)


def build(config: Config) -> FasterRCNN:
    return config.build(NUM_CHANNELS, NUM_CLASSES)


@pytest.mark.parametrize(
    ("settings", "size"),
    [({}, 41_415_843), ({"anchors": {"sizes": MULTISCALE}}, 41_423_553)],
)
def test_it_has_the_parameters_of_the_published_experiments(
    settings: dict[str, object], size: int
) -> None:
    with torch.device("meta"):
        detector = Config.model_validate(settings).build(in_channels=20, num_classes=3)
    assert sum(weight.numel() for weight in detector.parameters()) == size


def theirs(sizes: tuple[tuple[int, ...], ...]) -> TorchvisionFasterRCNN:
    """Torchvision's own model for the same frames, classes and weights as ours."""
    backbone = resnet_fpn_backbone(
        backbone_name="resnet18", weights=None, norm_layer=torch.nn.BatchNorm2d, trainable_layers=5
    )
    backbone.body.conv1 = torch.nn.Conv2d(NUM_CHANNELS, 64, 7, 2, 3, bias=False)
    ratios = ((0.5, 1.0, 2.0),) * len(sizes)
    return TorchvisionFasterRCNN(
        backbone,
        NUM_CLASSES + 1,
        min_size=SIZE,
        image_mean=[0.0] * NUM_CHANNELS,
        image_std=[10.0] * NUM_CHANNELS,
        rpn_anchor_generator=AnchorGenerator(sizes, ratios),
        box_score_thresh=0.2,
        box_nms_thresh=0.5,
        box_detections_per_img=50,
    )


@pytest.mark.parametrize("sizes", [((32,), (64,), (128,), (256,), (512,)), MULTISCALE])
def test_it_detects_and_learns_what_torchvision_does_with_the_same_weights(
    make_batch: MakeBatch, sizes: tuple[tuple[int, ...], ...]
) -> None:
    ours = build(
        Config.model_validate(
            {"backbone": "resnet18", "anchors": {"sizes": sizes}, "count_scale": 10.0}
        )
    )
    reference = theirs(sizes)
    reference.load_state_dict(ours.state_dict())
    batch = make_batch(height=SIZE, width=SIZE)
    images = list(batch.select_keyframes(batch.frames).float())

    suppression = SuppressionSettings(score_threshold=0.2, iou_threshold=0.5, max_detections=50)
    with torch.inference_mode():
        found, _ = ours.eval().detect(batch, (), suppression)
        expected = reference.eval()(images)
    for mine, other in zip(found, expected, strict=True):
        assert len(mine.scores) == 50
        assert torch.equal(mine.boxes_xyxy, other["boxes"])
        assert torch.equal(mine.scores, other["scores"])
        assert torch.equal(mine.class_ids + 1, other["labels"])

    targets = [
        {"boxes": target.boxes_xyxy, "labels": target.class_ids + 1} for target in batch.targets
    ]
    reference.transform.torch_choice = lambda sizes: sizes[0]  # which draws even from one size
    torch.manual_seed(1)
    losses, _ = ours.train().losses(batch, ())
    torch.manual_seed(1)
    expected_losses = reference.train()(images, targets)
    for name, other_name in (
        ("classification", "loss_classifier"),
        ("box", "loss_box_reg"),
        ("objectness", "loss_objectness"),
        ("rpn_box_reg", "loss_rpn_box_reg"),
    ):
        assert torch.equal(losses[name], expected_losses[other_name])


def test_weights_of_torchvision_fit_but_for_the_classes() -> None:
    weights = fasterrcnn_resnet50_fpn(weights=None, weights_backbone=None).state_dict()
    detector = Config(batch_norm="frozen").build(20, NUM_CLASSES)
    found = fitting_weights(detector, weights)
    missing = detector.state_dict().keys() - found.keys()
    predictor = "roi_heads.box_predictor"
    assert missing == {
        f"{predictor}.{layer}.{kind}"
        for layer in ("cls_score", "bbox_pred")
        for kind in ("weight", "bias")
    }
    # Files that torchvision published before version 0.13 name these three otherwise.
    older = {
        "rpn.head.conv.weight": weights.pop("rpn.head.conv.0.0.weight"),
        "backbone.fpn.inner_blocks.3.bias": weights.pop("backbone.fpn.inner_blocks.3.0.bias"),
        "backbone.fpn.layer_blocks.0.weight": weights.pop("backbone.fpn.layer_blocks.0.0.weight"),
    }
    again = fitting_weights(detector, weights | older)
    assert again.keys() == found.keys()
    assert all(torch.equal(again[name], found[name]) for name in found)


def test_frozen_normalisation_has_nothing_to_learn(make_batch: MakeBatch) -> None:
    detector = build(small(batch_norm="frozen")).train()
    of_norms = [name for name, _ in detector.named_parameters() if ".bn" in name]
    assert of_norms == []
    before = {name: value.clone() for name, value in detector.named_buffers()}
    assert any(".bn" in name for name in before)
    detector.losses(make_batch(), ())
    assert all(torch.equal(value, before[name]) for name, value in detector.named_buffers())


def test_focal_loss_weighs_objects_by_alpha_and_errors_by_gamma() -> None:
    # Probabilities of 1/4 and 3/4 for the background, and for the only class.
    logits = torch.tensor([[0.0, math.log(3)], [0.0, math.log(3)]], dtype=torch.float64)
    found = focal_loss(logits, torch.tensor([1, 0]), FocalSettings(alpha=0.25, gamma=2))
    of_object = 0.25 * (1 / 4) ** 2 * math.log(4 / 3)
    of_background = 0.75 * (3 / 4) ** 2 * math.log(4)
    assert found.item() == pytest.approx((of_object + of_background) / 2)


def test_focal_loss_without_gamma_is_half_of_cross_entropy() -> None:
    logits, labels = torch.randn(20, 4), torch.randint(4, (20,))
    found = focal_loss(logits, labels, FocalSettings(alpha=0.5, gamma=0))
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels) / 2)


def test_focal_loss_halves_the_score_of_an_object_that_is_there_in_three_of_four_cases() -> None:
    logit = torch.zeros(1, requires_grad=True)
    labels = torch.tensor([1, 1, 1, 0])
    optimizer = torch.optim.SGD([logit], lr=1.0)
    for _ in range(500):
        optimizer.zero_grad()
        logits = torch.stack([torch.zeros(4), logit.expand(4)], dim=1)
        focal_loss(logits, labels, FocalSettings(alpha=0.25, gamma=0)).backward()
        optimizer.step()
    assert logit.sigmoid().item() == pytest.approx(0.5, abs=1e-3)


def test_focal_loss_changes_the_loss_of_classes_alone(make_batch: MakeBatch) -> None:
    batch, seen = make_batch(), []
    for focal in (None, FocalSettings()):
        torch.manual_seed(0)
        seen.append(build(small(focal=focal)).train().losses(batch, ())[0])
    changed = {name for name in seen[0] if not torch.equal(seen[0][name], seen[1][name])}
    assert changed == {"classification"}


def test_boxes_are_as_precise_in_half_precision_as_in_single(make_batch: MakeBatch) -> None:
    detector, batch = build(small()).eval(), make_batch(height=64, width=1024)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found, _ = detector.detect(batch, (), SuppressionSettings(score_threshold=0))
    for frame in found:
        assert frame.boxes_xyxy.dtype == frame.scores.dtype == torch.float32
        far_right = frame.boxes_xyxy[frame.boxes_xyxy[:, 0] > 512, 0]
        assert len(far_right) > 10
        # bfloat16 has steps of 4 px there.
        assert (far_right % 4 != 0).float().mean() > 0.5


def test_objects_of_a_frame_count_as_foreground(make_batch: MakeBatch) -> None:
    losses, _ = build(small()).train().losses(make_batch(), ())
    assert losses["num_foreground"] >= 4  # ground truth itself is among the proposals


def test_only_boxes_of_one_class_drop_each_other_unless_asked(make_batch: MakeBatch) -> None:
    detector, batch = build(small()).eval(), make_batch()
    suppression = SuppressionSettings(score_threshold=0, iou_threshold=0.3)
    with torch.inference_mode():
        by_class, _ = detector.detect(batch, (), suppression)
        all_alike, _ = detector.detect(
            batch, (), suppression.model_copy(update={"class_agnostic": True})
        )
    for many, few in zip(by_class, all_alike, strict=True):
        assert len(few.scores) < len(many.scores)


@pytest.mark.parametrize("sizes", [((32,),) * 4, ((32,),) * 4 + ((32, 64),), ((),) * 5])
def test_anchors_are_equally_many_for_each_of_five_maps(sizes: object) -> None:
    with pytest.raises(ValidationError, match="sizes must be 5 lists of equal length"):
        small(anchors={"sizes": sizes})


def test_targets_keep_their_classes(make_batch: MakeBatch) -> None:
    batch = make_batch()
    detector = build(small()).train()
    detector.losses(batch, ())
    expected = Targets(batch.targets[0].boxes_xyxy.clone(), torch.tensor([0, 2]))
    assert torch.equal(batch.targets[0].class_ids, expected.class_ids)


@pytest.mark.slow
def test_it_learns_four_frames_by_heart() -> None:
    config = Config.model_validate(
        {"backbone": "resnet18", "fpn_channels": 32, "head_dim": 128, "count_scale": 1.0}
        | {"proposals": 100, "sampled_proposals": 128}
        | {"anchors": {"sizes": ((12, 16), (24, 32), (48, 64), (96, 128), (192, 256))}}
    )
    adamw = partial(torch.optim.AdamW, lr=5e-4)
    assert ap50_after_overfitting(config, adamw, num_steps=90) >= 0.9
