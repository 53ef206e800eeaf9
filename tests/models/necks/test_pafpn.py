import pytest
import torch

from etram_pipeline.models.necks.pafpn import Config


@pytest.mark.parametrize("channels", [(8,), (4, 8), (4, 8, 16), (4, 8, 16, 32)])
def test_any_number_of_maps_keep_their_sizes(channels: tuple[int, ...]) -> None:
    neck = Config(num_bottlenecks=1).build(channels, (8, 16, 32, 64)[: len(channels)], 4)
    maps = tuple(torch.randn(2, dim, 64 // dim, 96 // dim) for dim in channels)
    assert neck.channels == channels
    assert [found.shape for found in neck(maps)] == [given.shape for given in maps]


def test_coarse_and_fine_maps_learn_of_each_other() -> None:
    neck = Config(num_bottlenecks=1).build((4, 8, 16), (8, 16, 32), 4).eval()
    maps = tuple(torch.randn(1, dim, 32 // dim, 32 // dim) for dim in (4, 8, 16))
    before = neck(maps)
    for changed in range(3):
        after = neck(tuple(given + (index == changed) for index, given in enumerate(maps)))
        assert not any(torch.equal(a, b) for a, b in zip(after, before, strict=True))
