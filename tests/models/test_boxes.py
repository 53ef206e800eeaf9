import torch

from etram_pipeline.models.boxes import as_shares, cxcywh_to_xyxy, iou, xyxy_to_cxcywh


def test_formats_convert_to_each_other() -> None:
    centred = torch.tensor([[5.0, 6.0, 4.0, 2.0]])
    assert cxcywh_to_xyxy(centred).tolist() == [[3.0, 5.0, 7.0, 7.0]]
    assert torch.equal(xyxy_to_cxcywh(cxcywh_to_xyxy(centred)), centred)


def test_shares_are_those_of_width_and_height() -> None:
    boxes = torch.tensor([[10.0, 10.0, 30.0, 20.0]])
    assert as_shares(boxes, (40, 80)).tolist() == [[0.25, 0.375, 0.25, 0.25]]


def test_overlap_is_the_shared_area_over_the_covered_one() -> None:
    box = torch.tensor([[2.0, 2.0, 4.0, 4.0]])
    others = torch.tensor([[2.0, 2.0, 4.0, 4.0], [4.0, 2.0, 4.0, 4.0], [9.0, 9.0, 4.0, 4.0]])
    torch.testing.assert_close(iou(box, others), torch.tensor([1.0, 8 / 24, 0.0]))


def test_boxes_without_area_overlap_nothing() -> None:
    nothing = torch.zeros(1, 4)
    assert iou(nothing, nothing).tolist() == [0.0]
