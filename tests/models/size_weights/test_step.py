import pytest
import torch
from pydantic import ValidationError

from etram_pipeline.models.size_weights.step import Config


def test_borders_belong_to_the_smaller_size() -> None:
    weights = Config(maximum=3, small_area=100, medium_area=400).weigh(
        torch.tensor([1.0, 100.0, 100.5, 400.0, 400.5])
    )
    assert weights.tolist() == [3, 3, 2, 2, 1]


def test_by_default_sizes_are_those_of_coco() -> None:
    sides = torch.tensor([32.0, 33.0, 96.0, 97.0])
    assert Config().weigh(sides**2).tolist() == [2, 1.5, 1.5, 1]


def test_medium_objects_smaller_than_small_ones_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"medium_area 9.0 must not be below small_area 10.0"):
        Config(small_area=10, medium_area=9)
