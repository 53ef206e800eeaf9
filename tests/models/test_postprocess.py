import torch
from torch import Tensor

from etram_pipeline.core.batch import Detections
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.postprocess import keep_visible, suppress

# Centre and size, objectness, probabilities of two classes.
STRONG = [20.0, 20.0, 10.0, 10.0, 0.9, 0.8, 0.1]
SHIFTED = [21.0, 20.0, 10.0, 10.0, 0.5, 0.9, 0.2]
OTHER_CLASS = [21.0, 20.0, 10.0, 10.0, 0.5, 0.2, 0.9]
FAR = [60.0, 20.0, 10.0, 10.0, 0.4, 0.5, 0.6]


def detect(*rows: list[float], **settings: object) -> Detections:
    [found] = suppress(torch.tensor([rows]), SuppressionSettings.model_validate(settings))
    return found


def test_weaker_boxes_of_the_same_class_are_dropped() -> None:
    found = detect(SHIFTED, STRONG, FAR)
    torch.testing.assert_close(found.scores, torch.tensor([0.9 * 0.8, 0.4 * 0.6]))
    assert found.class_ids.tolist() == [0, 1]
    assert found.boxes_xyxy.tolist() == [[15, 15, 25, 25], [55, 15, 65, 25]]


def test_classes_do_not_suppress_each_other_unless_told_to() -> None:
    assert detect(STRONG, OTHER_CLASS).class_ids.tolist() == [0, 1]
    assert detect(STRONG, OTHER_CLASS, class_agnostic=True).class_ids.tolist() == [0]


def test_the_threshold_is_on_the_joint_score_and_included() -> None:
    joint = torch.tensor(0.4) * torch.tensor(0.6)
    assert len(detect(FAR, score_threshold=joint.item()).class_ids) == 1
    assert len(detect(FAR, score_threshold=joint.item() + 1e-6).class_ids) == 0


def test_overlap_is_judged_by_the_setting() -> None:
    assert len(detect(STRONG, SHIFTED, iou_threshold=0.9).class_ids) == 2


def test_predictions_stay_as_they_are() -> None:
    predictions = torch.tensor([[STRONG, SHIFTED]])
    before = predictions.clone()
    suppress(predictions, SuppressionSettings())
    assert torch.equal(predictions, before)


def test_every_image_is_judged_alone() -> None:
    first, second = suppress(torch.tensor([[STRONG], [SHIFTED]]), SuppressionSettings())
    assert len(first.class_ids) == len(second.class_ids) == 1


def _detections(boxes_xyxy: Tensor) -> Detections:
    number = len(boxes_xyxy)
    return Detections(boxes_xyxy, torch.arange(number), torch.linspace(1, 0, number))


def test_boxes_are_cut_at_the_border_and_flat_ones_dropped() -> None:
    boxes = torch.tensor(
        [[-5.0, -5.0, 8.0, 8.0], [10.0, 40.0, 20.0, 50.0], [60.0, 30.0, 90.0, 50.0]]
    )
    found = keep_visible(_detections(boxes), height=40, width=70, max_detections=9)
    assert found.boxes_xyxy.tolist() == [[0, 0, 8, 8], [60, 30, 70, 40]]
    assert found.class_ids.tolist() == [0, 2]


def test_the_best_of_the_visible_are_kept() -> None:
    boxes = torch.tensor([[80.0, 0.0, 90.0, 9.0], [0.0, 0.0, 9.0, 9.0], [5.0, 5.0, 9.0, 9.0]])
    found = keep_visible(_detections(boxes), height=40, width=70, max_detections=1)
    assert found.class_ids.tolist() == [1]
