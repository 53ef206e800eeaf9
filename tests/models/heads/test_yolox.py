import pytest
import torch

from etram_pipeline.models.heads.yolox import Config, decode
from etram_pipeline.models.predictions import AnchorGrid


def test_an_untrained_head_expects_few_objects() -> None:
    head = Config(prior_probability=0.05).build((16, 32), (8, 16), 3)
    biases = [
        bias.sigmoid()
        for name, bias in head.named_parameters()
        if name.endswith(("class_output.bias", "objectness_output.bias"))
    ]
    assert len(biases) == 4
    for bias in biases:
        torch.testing.assert_close(bias, torch.full_like(bias, 0.05))


def test_boxes_are_offset_from_the_corner_of_their_cell_in_strides() -> None:
    grid = AnchorGrid.over([(2, 2)], [16], like=torch.zeros(1))
    raw = torch.zeros(1, 4, 7)
    raw[0, 3] = torch.tensor([0.25, -0.5, 1.0, 0.0, 3.0, 1.0, 2.0])
    predictions = decode(raw, grid)
    expected = torch.tensor([16 + 4, 16 - 8, 16 * torch.e, 16])
    torch.testing.assert_close(predictions.boxes_cxcywh[0, 3], expected)
    assert predictions.objectness_logits[0].tolist() == [0, 0, 0, 3]
    assert predictions.class_logits[0, 3].tolist() == [1, 2]


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_boxes_are_decoded_in_single_precision_under_mixed_precision(half: torch.dtype) -> None:
    head = Config().build((16, 32), (8, 16), 3).eval()
    # So far to the right that half precision knows only every fourth px.
    maps = torch.randn(2, 16, 2, 160), torch.randn(2, 32, 1, 80)
    with torch.autocast("cpu", half):
        raw = torch.cat([level(m) for level, m in zip(head.levels, maps, strict=True)], dim=1)
        predictions = head(maps)
    assert raw.dtype == half
    grid = AnchorGrid.over([(2, 160), (1, 80)], [8, 16], like=torch.zeros(1))
    expected = decode(raw.float(), grid)
    assert torch.equal(predictions.boxes_cxcywh, expected.boxes_cxcywh)
    assert torch.equal(predictions.objectness_logits, expected.objectness_logits)
    assert predictions.stacked().dtype == torch.float32


def test_a_second_size_gets_anchors_of_its_own() -> None:
    head = Config().build((16,), (8,), 3).eval()
    first, second = head((torch.randn(1, 16, 2, 3),)), head((torch.randn(1, 16, 4, 2),))
    assert first.boxes_cxcywh.shape[1] == 6
    assert second.anchors.corners_xy[-1].tolist() == [8, 24]
