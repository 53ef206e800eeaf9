from typing import Literal

import pytest
import torch

from etram_pipeline.models.attention import (
    AttentionSettings,
    PartitionAttention,
    Partitioning,
    merge,
    partition,
)

SETTINGS = AttentionSettings(dim_head=4, layer_scale=1)


@pytest.mark.parametrize(
    ("parts", "reached"),
    [
        # Rows and columns, in a map of 4 x 6 with parts of 2 x 3, that the cell (0, 1) reaches.
        ("window", [[y, x] for y in (0, 1) for x in (0, 1, 2)]),
        ("grid", [[y, x] for y in (0, 2) for x in (1, 3, 5)]),
    ],
)
def test_a_cell_reaches_the_cells_of_its_part(
    parts: Literal["window", "grid"], reached: list[list[int]]
) -> None:
    attention = PartitionAttention(8, parts, SETTINGS, is_input_normed=False)
    maps = torch.randn(1, 4, 6, 8)
    changed = maps.clone()
    changed[0, 0, 1] = torch.randn(8)
    part_size = (2, 3)
    difference = attention(maps, part_size) - attention(changed, part_size)
    assert difference[0].abs().sum(-1).nonzero().tolist() == reached


def test_blocks_without_weight_pass_their_input_on() -> None:
    settings = AttentionSettings(dim_head=4, layer_scale=1e-30)
    attention = PartitionAttention(8, "window", settings, is_input_normed=True)
    maps = torch.randn(2, 4, 6, 8)
    assert torch.equal(attention(maps, (2, 3)), maps)


@pytest.mark.parametrize("half", [torch.bfloat16, torch.float16], ids=str)
def test_half_precision_on_the_cpu_attends_alike(half: torch.dtype) -> None:
    attention = PartitionAttention(8, "grid", SETTINGS, is_input_normed=False)
    maps = torch.randn(2, 4, 6, 8)
    exact = attention(maps, (2, 3))
    with torch.autocast("cpu", half):
        rounded = attention(maps, (2, 3))
    torch.testing.assert_close(rounded, exact, atol=0.05, rtol=0.02)


def test_zero_layer_scale_adds_branches_unweighted() -> None:
    attention = PartitionAttention(
        8, "window", AttentionSettings(dim_head=4, layer_scale=0), is_input_normed=True
    )
    assert not [name for name, _ in attention.named_parameters() if "scale" in name]


@pytest.mark.parametrize("kind", ["window", "grid"])
def test_parts_are_those_of_timm(kind: Partitioning) -> None:
    from timm.models import maxxvit

    maps, size = torch.randn(2, 4, 9, 5), (2, 3)
    parts = partition(maps, size, kind)
    assert torch.equal(parts, getattr(maxxvit, f"{kind}_partition")(maps, list(size)))
    assert torch.equal(merge(parts, (4, 9), kind), maps)
