import math

import pytest
import torch
from tests.models.learning_steps import random_predictions

from etram_pipeline.core.batch import Targets
from etram_pipeline.models.object_predictions import ObjectPredictions
from etram_pipeline.models.predictions import AnchorGrid, Predictions

NOTHING = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def some_targets() -> tuple[Targets, ...]:
    boxes = torch.tensor([[3.0, 5, 30, 20], [40, 40, 44, 43], [0, 0, 64, 64], [23, 25, 50, 40]])
    first, last = Targets(boxes[:3], torch.tensor([2, 0, 1])), Targets(boxes[3:], torch.tensor([1]))
    return first, NOTHING, last


def overlap(a: list[float], b: list[float]) -> float:
    """Intersection over union of two boxes, given by centre and size."""
    sides = []
    for i in (0, 1):
        end = min(a[i] + a[i + 2] / 2, b[i] + b[i + 2] / 2)
        sides.append(max(0, end - max(a[i] - a[i + 2] / 2, b[i] - b[i + 2] / 2)))
    both = sides[0] * sides[1]
    return both / (a[2] * a[3] + b[2] * b[3] - both)


def best_by_hand(predictions: Predictions, image: int, label: list[float]) -> int:
    """The candidate that overlaps most, else the nearest."""
    best, found = -1, (-1.0, 0.0)
    for anchor, (box, (x, y), stride) in enumerate(
        zip(
            predictions.boxes_cxcywh[image].tolist(),
            predictions.anchors.centres_xy.tolist(),
            predictions.anchors.strides.tolist(),
            strict=True,
        )
    ):
        dx, dy = abs(x - label[0]), abs(y - label[1])
        inside = dx < label[2] / 2 and dy < label[3] / 2
        fit = (overlap(box, label), -max(dx, dy) / stride)
        if (inside or max(dx, dy) < 1.5 * stride) and fit > found:
            best, found = anchor, fit
    return best


@pytest.mark.parametrize("seed", range(5))
def test_the_prediction_that_fits_is_found_as_by_hand(seed: int) -> None:
    torch.manual_seed(seed)
    predictions, targets = random_predictions(3, (64, 64)), some_targets()
    found = ObjectPredictions.of(predictions, targets)
    assert found.image.tolist() == [0, 0, 0, 2]
    corners = torch.cat([target.boxes_xyxy for target in targets]).tolist()
    class_ids = [2, 0, 1, 1]
    for place, (image, (x1, y1, x2, y2)) in enumerate(zip([0, 0, 0, 2], corners, strict=True)):
        label = [(x1 + x2) / 2, (y1 + y2) / 2, x2 - x1, y2 - y1]
        anchor = best_by_hand(predictions, image, label)
        assert found.anchor[place] == anchor
        x, y, w, h = predictions.boxes_cxcywh[image, anchor].tolist()
        errors = [
            (x - label[0]) / label[2],
            (y - label[1]) / label[3],
            math.log(w / label[2]),
            math.log(h / label[3]),
        ]
        assert found.box_errors[place].tolist() == pytest.approx(errors, abs=1e-5)
        objectness = predictions.objectness_logits[image, anchor].sigmoid().item()
        of_class = predictions.class_logits[image, anchor, class_ids[place]].sigmoid().item()
        score = found.log_scores[place].exp().item()
        assert score == pytest.approx(objectness * of_class, rel=1e-5)


def test_where_nothing_overlaps_the_nearest_anchor_is_taken() -> None:
    anchors = AnchorGrid.over([(8, 8)], [8], like=torch.zeros(()))
    far_off = torch.tensor([500.0, 500.0, 4.0, 4.0]).expand(1, 64, 4)
    predictions = Predictions(far_off, torch.zeros(1, 64), torch.zeros(1, 64, 2), anchors)
    target = Targets(torch.tensor([[18.0, 33.0, 20.0, 35.0]]), torch.tensor([1]))
    found = ObjectPredictions.of(predictions, (target,))
    assert found.anchor.tolist() == [4 * 8 + 2]


def test_without_objects_there_is_nothing_to_compare() -> None:
    predictions = random_predictions(2, (64, 64))
    found = ObjectPredictions.of(predictions, (NOTHING, NOTHING))
    assert found.box_errors.shape == (0, 4)
    (found.box_errors.sum() + found.log_scores.sum()).backward()
    assert predictions.boxes_cxcywh.grad is not None


def test_a_sliver_of_an_object_has_no_larger_errors_than_an_object_of_one_pixel() -> None:
    predictions = random_predictions(1, (64, 64))
    sliver = Targets(torch.tensor([[63.95, 10, 64, 30]]), torch.tensor([0]))
    found = ObjectPredictions.of(predictions, (sliver,))
    x, y, width, height = predictions.boxes_cxcywh[0, found.anchor[0]].tolist()
    expected = [x - 63.975, (y - 20) / 20, math.log(width), math.log(height / 20)]
    assert found.box_errors[0].tolist() == pytest.approx(expected, rel=1e-4)
