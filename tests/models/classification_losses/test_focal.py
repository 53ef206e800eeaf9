import math

import pytest
import torch

from etram_pipeline.models.classification_losses.cross_entropy import Config as CrossEntropy
from etram_pipeline.models.classification_losses.focal import Config

LOGITS = torch.tensor([[-1.0, 2.0], [0.5, -3.0]], dtype=torch.float64)
CLASS_IDS = torch.tensor([1, 0])
IOUS = torch.tensor([0.8, 0.3], dtype=torch.float64)


def by_hand(gamma: float) -> float:
    expected, total = [[0.0, 0.8], [0.3, 0.0]], 0.0
    for logits, wanted in zip(LOGITS.tolist(), expected, strict=True):
        for logit, share in zip(logits, wanted, strict=True):
            p = 1 / (1 + math.exp(-logit))
            total -= abs(share - p) ** gamma * (share * math.log(p) + (1 - share) * math.log(1 - p))
    return total


@pytest.mark.parametrize("gamma", [0.0, 0.5, 1.0, 2.0, 3.0])
def test_weighs_cross_entropy_by_a_power_of_the_error(gamma: float) -> None:
    found = Config(gamma=gamma).build(2)(LOGITS, CLASS_IDS, IOUS)
    assert found.item() == pytest.approx(by_hand(gamma))


def test_without_power_it_is_cross_entropy() -> None:
    logits, ious = LOGITS.float(), IOUS.float()
    focal = Config(gamma=0).build(2)(logits, CLASS_IDS, ious)
    torch.testing.assert_close(focal, CrossEntropy().build(2)(logits, CLASS_IDS, ious))


def test_is_least_where_the_probability_is_the_overlap() -> None:
    loss, ids, overlap = Config().build(1), torch.tensor([0]), torch.tensor([0.7]).double()
    at = math.log(0.7 / 0.3)
    values = [
        loss(torch.tensor([[at + step]]).double(), ids, overlap).item()
        for step in (-1, -0.1, 0, 0.1, 1)
    ]
    assert values[0] > values[1] > values[2] < values[3] < values[4]
    assert values[2] == pytest.approx(0, abs=1e-12)


def test_gradient_is_that_of_finite_differences() -> None:
    logits = LOGITS.clone().requires_grad_()
    assert torch.autograd.gradcheck(lambda x: Config().build(2)(x, CLASS_IDS, IOUS), (logits,))


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0])
def test_certainty_right_or_wrong_has_a_finite_gradient(gamma: float) -> None:
    logits = torch.tensor([[-200.0, 200.0], [200.0, -200.0]], requires_grad=True)
    loss = Config(gamma=gamma).build(2)(logits, torch.tensor([1, 1]), torch.tensor([1.0, 1.0]))
    loss.backward()
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()
    assert (logits.grad[0] == 0).all()
    assert logits.grad[1, 0] > 0 > logits.grad[1, 1]
