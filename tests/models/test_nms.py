"""Suppression without importing torchvision."""

import subprocess
import sys

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torchvision import ops

from etram_pipeline.models.nms import batched_nms


@given(count=st.integers(0, 60), groups=st.integers(1, 4), seed=st.integers(0, 2**31))
def test_the_boxes_kept_are_those_of_torchvision(count: int, groups: int, seed: int) -> None:
    _compare(count, groups, seed)


@pytest.mark.parametrize("count", [999, 1000, 1001, 3000])
def test_many_boxes_are_taken_group_by_group_as_by_torchvision(count: int) -> None:
    _compare(count, 8, seed=count)


def _compare(count: int, num_groups: int, seed: int) -> None:
    random = torch.Generator().manual_seed(seed)
    corners = torch.rand(count, 2, generator=random) * 90 - 10
    boxes_xyxy = torch.cat([corners, corners + torch.rand(count, 2, generator=random) * 40], 1)
    scores = torch.rand(count, generator=random)
    groups = torch.randint(num_groups, (count,), generator=random)
    expected = ops.batched_nms(boxes_xyxy, scores, groups, 0.45)
    assert torch.equal(batched_nms(boxes_xyxy, scores, groups, 0.45), expected)


def test_predicting_imports_nothing_that_takes_long_and_is_not_needed() -> None:
    program = (
        "import sys, torch\n"
        "import etram_pipeline.models.checkpoint, etram_pipeline.inference.predict\n"
        "from etram_pipeline.models.nms import batched_nms\n"
        "batched_nms(torch.zeros(1, 4), torch.zeros(1), torch.zeros(1, dtype=torch.long), 0.5)\n"
        "heavy = 'torchvision pytorch_lightning mlflow pandas matplotlib torch._dynamo'\n"
        "print(*(name for name in heavy.split() if name in sys.modules))\n"
    )
    found = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == []
