import math

import pytest
import torch

from etram_pipeline.models.size_weights.exponential import Config


def test_falls_exponentially_from_the_maximum_to_one() -> None:
    weights = Config(maximum=2.5, small_area=1000).weigh(torch.tensor([0.0, 500.0, 916.0, 5000.0]))
    # At an area of small_area * ln(maximum) = 916.3 the factor would be 1.
    expected = [2.5, 2.5 * math.exp(-0.5), 2.5 * math.exp(-0.916), 1]
    assert weights.tolist() == pytest.approx(expected)


def test_by_default_a_small_object_of_coco_is_below_which_it_grows() -> None:
    near, at, beyond = Config().weigh(torch.tensor([100.0, 32.0**2 * math.log(2), 32.0**2]))
    assert near.item() == pytest.approx(2 * math.exp(-100 / 1024))
    assert at.item() == pytest.approx(1)
    assert beyond.item() == 1
