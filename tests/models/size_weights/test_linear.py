import pytest
import torch
from pydantic import ValidationError

from etram_pipeline.models.size_weights.linear import Config


def test_falls_in_a_line_between_the_maximum_and_one() -> None:
    # 1 + 2 * (1 - area / 1000), cut at 2 until an area of 500 and at 1 from 1000 on.
    weights = Config(maximum=2, medium_area=1000).weigh(
        torch.tensor([0.0, 500.0, 600.0, 900.0, 1000.0, 3000.0])
    )
    assert weights.tolist() == pytest.approx([2, 2, 1.8, 1.2, 1, 1])


def test_by_default_ends_at_medium_objects_of_coco() -> None:
    weights = Config().weigh(torch.tensor([96.0 * 96 * 0.75, 96.0 * 96]))
    assert weights.tolist() == pytest.approx([1.5, 1])


def test_a_maximum_below_one_is_refused() -> None:
    with pytest.raises(ValidationError, match="greater than or equal to 1"):
        Config(maximum=0.5)
