import math

import pytest
import torch

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.losses.yolox import Config
from etram_pipeline.models.predictions import AnchorGrid, Predictions


def one_anchor(width: float, objectness_logit: float, class_logits: list[float]) -> Predictions:
    """One anchor in each of two images."""
    grid = AnchorGrid.over([(1, 1)], [8], like=torch.zeros(1))
    box = torch.tensor([4.0, 4.0, width, 8.0])
    return Predictions(
        boxes_cxcywh=box.expand(2, 1, 4),
        objectness_logits=torch.full((2, 1), objectness_logit),
        class_logits=torch.tensor(class_logits).expand(2, 1, 2),
        anchors=grid,
    )


OBJECT = Targets(torch.tensor([[0.0, 0.0, 8.0, 8.0]]), torch.tensor([1]))
NOTHING = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def cross_entropy(logit: float, wanted: float) -> float:
    probability = 1 / (1 + math.exp(-logit))
    return -wanted * math.log(probability) - (1 - wanted) * math.log(1 - probability)


def test_losses_add_up_by_hand() -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    losses = Config().build(2)(predictions, (OBJECT, NOTHING))
    assert losses["iou"].item() == pytest.approx(5 * (1 - 0.5**2))
    objectness = cross_entropy(0.3, 1) + cross_entropy(0.3, 0)
    assert losses["objectness"].item() == pytest.approx(objectness)
    classes = cross_entropy(-1, 0) + cross_entropy(2, 0.5)
    assert losses["class"].item() == pytest.approx(classes)
    assert losses["num_foreground"] == losses["num_targets"] == 1


def test_losses_are_per_anchor_that_learns_an_object() -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    loss = Config().build(2)
    once, twice = loss(predictions, (OBJECT, NOTHING)), loss(predictions, (OBJECT, OBJECT))
    assert twice["num_foreground"] == 2
    torch.testing.assert_close(twice["iou"], once["iou"])


def test_weights_weigh() -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    plain = Config(iou_weight=1).build(2)(predictions, (OBJECT, NOTHING))
    heavy = Config(iou_weight=2, objectness_weight=3, class_weight=4).build(2)(
        predictions, (OBJECT, NOTHING)
    )
    for name, weight in {"iou": 2, "objectness": 3, "class": 4}.items():
        torch.testing.assert_close(heavy[name], weight * plain[name])


def test_half_precision_around_it_changes_nothing() -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    loss = Config().build(2)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = loss(predictions, (OBJECT, NOTHING))
    torch.testing.assert_close(mixed, loss(predictions, (OBJECT, NOTHING)), rtol=0, atol=0)
