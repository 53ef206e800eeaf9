import math
from collections.abc import Callable

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, one_hot

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.assignment import PaddedTargets, SimOTA
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.classification_losses import inverse_frequency
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.losses.yolox import Config
from etram_pipeline.models.predictions import AnchorGrid, Predictions
from etram_pipeline.models.size_weights import adaptive, exponential, step


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


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_around_it_changes_nothing(half: torch.dtype) -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    loss = Config().build(2)
    with torch.autocast("cpu", half):
        mixed = loss(predictions, (OBJECT, NOTHING))
    torch.testing.assert_close(mixed, loss(predictions, (OBJECT, NOTHING)), rtol=0, atol=0)


def crowd() -> tuple[Predictions, tuple[Targets, ...]]:
    """Many anchors near objects of several sizes in two images."""
    torch.manual_seed(0)
    grid = AnchorGrid.over([(8, 8)], [8], like=torch.zeros(1))
    sizes = torch.empty(2, 64, 2).uniform_(6, 40)
    predictions = Predictions(
        boxes_cxcywh=torch.cat([grid.centres_xy.expand(2, -1, -1), sizes], dim=-1),
        objectness_logits=torch.randn(2, 64),
        class_logits=torch.randn(2, 64, 2),
        anchors=grid,
    )
    boxes = torch.tensor(
        [[0.0, 0.0, 10.0, 12.0], [20.0, 20.0, 60.0, 50.0], [8.0, 40.0, 30.0, 60.0]]
    )
    targets = Targets(boxes, torch.tensor([1, 0, 1])), Targets(boxes[1:], torch.tensor([0, 0]))
    return predictions, targets


def area_and_overlap(predictions: Predictions, targets: tuple[Targets, ...]) -> torch.Tensor:
    """Area of the object of every anchor that learns one, and its overlap with the anchor's box."""
    assignment = SimOTA()(predictions, PaddedTargets.pad(targets, torch.float32))
    rows = []
    for image, anchor in assignment.is_foreground.nonzero().tolist():
        x, y, width, height = predictions.boxes_cxcywh[image, anchor].tolist()
        a = (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
        b = targets[image].boxes_xyxy[int(assignment.target[image, anchor])].tolist()
        shared = [max(0.0, min(a[i + 2], b[i + 2]) - max(a[i], b[i])) for i in (0, 1)]
        area = (b[2] - b[0]) * (b[3] - b[1])
        rows.append((area, math.prod(shared) / (width * height + area - math.prod(shared))))
    return torch.tensor(rows)


def test_overlap_of_small_objects_weighs_more() -> None:
    predictions, targets = crowd()
    loss = Config(size_weight=exponential.Config(maximum=2.5, small_area=700)).build(2)
    found = loss(predictions, targets)
    rows = area_and_overlap(predictions, targets).tolist()
    weights = [min(2.5, max(1, 2.5 * math.exp(-area / 700))) for area, _ in rows]
    assert len({round(weight, 3) for weight in weights}) == 3
    weighed = [
        weight * (1 - overlap**2) for weight, (_, overlap) in zip(weights, rows, strict=True)
    ]
    assert found["num_foreground"] == len(rows)
    assert found["iou"].item() == pytest.approx(5 * sum(weighed) / len(rows), rel=1e-5)
    plain = Config().build(2)(predictions, targets)
    torch.testing.assert_close(
        {name: found[name] for name in found if name != "iou"},
        {name: plain[name] for name in plain if name != "iou"},
        rtol=0,
        atol=0,
    )


def test_overlap_of_sizes_that_are_found_less_weighs_more() -> None:
    predictions, targets = crowd()
    loss = Config(size_weight=adaptive.Config(maximum=3, small_area=200, medium_area=700)).build(2)
    loss.get_buffer("size_weight.num_seen").fill_(10)
    loss.get_buffer("size_weight.num_found").copy_(torch.tensor([2.0, 5.0, 6.0]))
    found = loss(predictions, targets)
    weighed = [
        (1.8 if area <= 200 else 1.2 if area <= 700 else 1) * (1 - overlap**2)
        for area, overlap in area_and_overlap(predictions, targets).tolist()
    ]
    assert found["iou"].item() == pytest.approx(5 * sum(weighed) / len(weighed), rel=1e-5)


def test_sizes_are_those_the_network_sees(
    config: rvt.Config, make_batch: Callable[..., SequenceBatch]
) -> None:
    # Objects of 572 and 1200 px in the frame have 143 and 300 px at half the size.
    weights = {"small_area": 300, "medium_area": 300, "maximum": 2}
    losses = []
    for size_weight in (step.Config(**weights), step.Config(**weights | {"maximum": 1})):
        torch.manual_seed(0)
        settings = {"loss": Config(size_weight=size_weight), "input_size": (32, 32)}
        detector = config.model_copy(update=settings).build(4, 3).train()
        torch.manual_seed(1)
        losses.append(detector.losses(make_batch(), ())[0])
    weighed, plain = losses
    assert plain["num_foreground"] > 0
    torch.testing.assert_close(weighed["iou"], 2 * plain["iou"])
    torch.testing.assert_close(weighed["class"], plain["class"])


def test_by_default_losses_are_those_without_any_weighing() -> None:
    predictions, targets = crowd()
    padded = PaddedTargets.pad(targets, torch.float32)
    assignment = SimOTA()(predictions, padded)
    chosen, target = assignment.is_foreground, assignment.target[assignment.is_foreground]
    image = chosen.nonzero()[:, 0]
    learnt = one_hot(padded.class_ids[image, target], 2) * assignment.ious[chosen][:, None]
    classes = binary_cross_entropy_with_logits(
        predictions.class_logits[chosen], learnt, reduction="sum"
    )
    found = Config().build(2)(predictions, targets)
    assert torch.equal(found["class"], classes / chosen.sum())
    overlaps = area_and_overlap(predictions, targets)[:, 1]
    torch.testing.assert_close(found["iou"], 5 * (1 - overlaps**2).mean())


def test_a_class_that_does_not_exist_is_named() -> None:
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    strange = Targets(OBJECT.boxes_xyxy, torch.tensor([2]))
    with pytest.raises(ValueError, match="have classes 1 to 2, but the detector tells 2 apart"):
        Config().build(2)(predictions, (strange, OBJECT))
    missing = Targets(OBJECT.boxes_xyxy, torch.tensor([-1]))
    with pytest.raises(ValueError, match="have classes -1 to 1"):
        Config().build(2)(predictions, (missing, OBJECT))


def test_what_the_class_loss_leaves_to_the_data_is_filled_in() -> None:
    config = Config(classification=inverse_frequency.Config())
    filled = config.for_classes(TrainingClasses(("car", "tram"), (30, 10)))
    predictions = one_anchor(width=4, objectness_logit=0.3, class_logits=[-1.0, 2.0])
    plain = Config().build(2)(predictions, (OBJECT, NOTHING))
    # 1/30 and 1/10 are 0.5 and 1.5 if they are 1 on average; the object is a tram.
    found = filled.build(2)(predictions, (OBJECT, NOTHING))
    torch.testing.assert_close(found["class"], 1.5 * plain["class"])
    torch.testing.assert_close(found["iou"], plain["iou"])


def test_losses_without_memory_leave_the_names_of_weights_alone(config: rvt.Config) -> None:
    names = config.build(4, 3).state_dict()
    assert not [name for name in names if name.startswith(("loss", "auxiliary", "refinement"))]
