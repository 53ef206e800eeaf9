import pytest
import torch

from etram_pipeline.models.classification_losses.inverse_frequency import Config


def test_weights_are_in_inverse_ratio_to_the_counts() -> None:
    # 1/100, 1/25 and 1/50 are 1, 4 and 2 parts, which add up to 3 with 3/7 each.
    weights = Config(counts=(100, 25, 50)).build(3).weights
    assert weights.tolist() == pytest.approx([3 / 7, 12 / 7, 6 / 7])


def test_a_class_without_boxes_takes_nothing_from_the_others() -> None:
    weights = Config(counts=(100, 0, 25)).build(3).weights
    assert weights.tolist() == pytest.approx([0.4, 1, 1.6])


def test_equal_counts_weigh_nothing() -> None:
    logits, ids, ious = torch.tensor([[0.0, 0.0]]), torch.tensor([1]), torch.tensor([1.0])
    loss = Config(counts=(7, 7)).build(2)(logits, ids, ious)
    assert loss.item() == pytest.approx(2 * 0.6931472)
