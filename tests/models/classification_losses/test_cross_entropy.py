import math

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from etram_pipeline.models.classification_losses.cross_entropy import Config

LOGITS = torch.tensor([[-1.0, 2.0], [0.5, -3.0]])


def test_own_class_learns_the_overlap_and_the_others_nothing() -> None:
    found = Config().build(2)(LOGITS, torch.tensor([1, 0]), torch.tensor([0.8, 0.3]))
    expected = [[0.0, 0.8], [0.3, 0.0]]
    by_hand = 0.0
    for logits, wanted in zip(LOGITS.tolist(), expected, strict=True):
        for logit, share in zip(logits, wanted, strict=True):
            probability = 1 / (1 + math.exp(-logit))
            by_hand -= share * math.log(probability) + (1 - share) * math.log(1 - probability)
    assert found.item() == pytest.approx(by_hand)
    targets = torch.tensor(expected)
    assert torch.equal(found, binary_cross_entropy_with_logits(LOGITS, targets, reduction="sum"))


def test_without_anchors_there_is_no_loss() -> None:
    none = torch.zeros(0, dtype=torch.int64)
    assert Config().build(2)(LOGITS[:0], none, torch.zeros(0)) == 0
