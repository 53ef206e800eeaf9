import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.assignment import PaddedTargets, SimOTA
from etram_pipeline.models.losses import yolox
from etram_pipeline.models.negative_weights import small_object_ring
from etram_pipeline.models.negative_weights.small_object_ring import Config
from etram_pipeline.models.predictions import AnchorGrid, Predictions

BOXES = torch.tensor([[30.0, 30.0, 42.0, 40.0], [8.0, 4.0, 60.0, 30.0], [20.0, 50.0, 26.0, 56.0]])
"""A large one among small ones, which covers part of the ring of the first."""

NOTHING = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def make(seed: int) -> tuple[Predictions, tuple[Targets, ...]]:
    """Random predictions on two maps for two images, the second with one object."""
    generator = torch.Generator().manual_seed(seed)
    grid = AnchorGrid.over([(16, 16), (8, 8)], [4, 8], like=torch.zeros(1))
    shape = (2, len(grid.strides))
    sizes = torch.rand(*shape, 2, generator=generator) * 30 + 2
    predictions = Predictions(
        boxes_cxcywh=torch.cat([grid.centres_xy.expand(*shape, 2), sizes], dim=-1),
        objectness_logits=torch.randn(shape, generator=generator),
        class_logits=torch.randn(*shape, 2, generator=generator),
        anchors=grid,
    )
    return predictions, (
        Targets(BOXES, torch.tensor([0, 1, 1])),
        Targets(BOXES[2:], torch.tensor([0])),
    )


def candidates(config: Config, centres: list[list[float]], boxes: list[list[float]]) -> list[int]:
    """Anchors around small boxes and in no box, one after the other."""
    chosen = []
    for index, (x, y) in enumerate(centres):
        is_near = is_covered = False
        for left, top, right, bottom in boxes:
            width, height = right - left, bottom - top
            dx, dy = config.ring * width, config.ring * height
            is_covered |= left <= x <= right and top <= y <= bottom
            is_near |= (
                width * height <= config.small_area
                and left - dx <= x <= right + dx
                and top - dy <= y <= bottom + dy
            )
        if is_near and not is_covered:
            chosen.append(index)
    return chosen


def expected_weights(
    config: Config,
    predictions: Predictions,
    targets: tuple[Targets, ...],
    is_foreground: torch.Tensor,
) -> list[list[float]]:
    centres = predictions.anchors.centres_xy.tolist()
    logits = predictions.objectness_logits.tolist()
    found = [
        (1 / (1 + math.exp(-logits[image][anchor])), image, anchor)
        for image, target in enumerate(targets)
        for anchor in candidates(config, centres, target.boxes_xyxy.tolist())
        if not is_foreground[image, anchor]
    ]
    weights = [[1.0] * len(centres) for _ in targets]
    for p, image, anchor in sorted(found, reverse=True)[: math.ceil(config.share * len(found))]:
        weights[image][anchor] = 1 + (config.maximum - 1) * p**config.gamma
    return weights


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"ring": 0.5, "share": 1, "gamma": 2},
        {"ring": 2.5, "maximum": 5, "gamma": 0},
        {"small_area": 100},
    ],
    ids=str,
)
def test_the_most_confident_anchors_around_small_objects_weigh_more(
    settings: dict[str, float],
) -> None:
    config, (predictions, targets) = Config.model_validate(settings), make(0)
    padded = PaddedTargets.pad(targets, torch.float32)
    is_foreground = SimOTA()(predictions, padded).is_foreground
    weights = config.build()(predictions, padded, is_foreground)
    assert weights is not None
    expected = expected_weights(config, predictions, targets, is_foreground)
    torch.testing.assert_close(weights, torch.tensor(expected))
    assert weights.max() > 1
    assert (weights <= config.maximum).all()
    assert (weights[is_foreground] == 1).all()


def test_the_loss_weighs_objectness_and_no_gradient_goes_through_the_factors() -> None:
    config, (predictions, targets) = Config(), make(1)
    logits = predictions.objectness_logits.requires_grad_()
    plain = yolox.Config().build(2)(predictions, targets)
    loss = yolox.Config(negative_weight=config).build(2)(predictions, targets)
    is_foreground = SimOTA()(predictions, PaddedTargets.pad(targets, torch.float32)).is_foreground
    weights = torch.tensor(expected_weights(config, predictions, targets, is_foreground))
    wanted = is_foreground.float()
    by_hand = weights * binary_cross_entropy_with_logits(logits, wanted, reduction="none")
    torch.testing.assert_close(loss["objectness"], by_hand.sum() / is_foreground.sum())
    [gradient] = torch.autograd.grad(loss["objectness"], logits)
    torch.testing.assert_close(
        gradient, weights * (logits.sigmoid() - wanted) / is_foreground.sum()
    )
    for name in ("iou", "class", "num_foreground"):
        assert torch.equal(loss[name], plain[name])


@pytest.mark.parametrize("case", ["no objects", "no small ones", "share of 0"])
def test_without_candidates_nothing_is_weighed(case: str) -> None:
    predictions, targets = make(2)
    config = Config(
        small_area=1 if case == "no small ones" else 1000, share=0 if case == "share of 0" else 1
    )
    if case == "no objects":
        targets = (NOTHING, NOTHING)
    nowhere = torch.zeros(predictions.objectness_logits.shape, dtype=torch.bool)
    padded = PaddedTargets.pad(targets, torch.float32)
    assert config.build()(predictions, padded, nowhere) is None


def test_stored_settings_without_it_stay_as_they_were() -> None:
    assert "negative_weight" not in yolox.Config().model_dump(serialize_as_any=True)
    chosen = yolox.Config(negative_weight=small_object_ring.Config(ring=2))
    written = chosen.model_dump(serialize_as_any=True)
    assert written["negative_weight"]["ring"] == 2
    assert yolox.Config.model_validate(written) == chosen
