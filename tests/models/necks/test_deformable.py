from math import floor

import torch
from torch import Tensor, nn

from etram_pipeline.models.necks import NeckConfig
from etram_pipeline.models.necks.deformable import DeformableConvolution

CHANNELS, STRIDES = (8, 16, 32), (8, 16, 32)


def make_maps() -> tuple[Tensor, ...]:
    return tuple(torch.randn(2, width, 64 // width, 96 // width) for width in CHANNELS)


def learnt_convolution() -> DeformableConvolution:
    convolution = DeformableConvolution(nn.Conv2d(2, 3, 3, padding=1, bias=False))
    for parameter in convolution.samples.parameters():
        nn.init.normal_(parameter, std=0.3)
    return convolution


def read_between(values: Tensor, y: float, x: float) -> Tensor:
    """The value of each channel at a place between cells, with zeros outside the map."""
    height, width = values.shape[1:]
    seen = torch.zeros(values.shape[0])
    for v in (floor(y), floor(y) + 1):
        for u in (floor(x), floor(x) + 1):
            if 0 <= v < height and 0 <= u < width:
                seen += (1 - abs(y - v)) * (1 - abs(x - u)) * values[:, v, u]
    return seen


def test_with_the_weights_of_pafpn_it_computes_what_pafpn_computes() -> None:
    plain = NeckConfig.model_validate({"kind": "pafpn"}).build(CHANNELS, STRIDES, 4)
    neck = NeckConfig.model_validate({"kind": "deformable"}).build(CHANNELS, STRIDES, 4)
    missing, unknown = neck.load_state_dict(plain.state_dict(), strict=False)
    assert unknown == []
    assert {name.split(".convolution.")[1] for name in missing} == {
        "samples.weight",
        "samples.bias",
    }
    assert len(missing) == 2 * 8  # two bottlenecks in each of four merges
    maps = make_maps()
    for found, expected in zip(neck.eval()(maps), plain.eval()(maps), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_places_are_moved_and_weighed_by_the_formula() -> None:
    convolution, maps = learnt_convolution(), torch.randn(1, 2, 4, 5)
    found, samples = convolution(maps), convolution.samples(maps)[0]
    offsets, factors = samples[:18].unflatten(0, (9, 2)), 2 * samples[18:].sigmoid()
    assert offsets.abs().max() > 1  # some places are moved by more than one cell
    for y in range(4):
        for x in range(5):
            expected = torch.zeros(3)
            for place in range(9):
                down, right = offsets[place, :, y, x].tolist()
                row, column = divmod(place, 3)
                seen = read_between(maps[0], y + row - 1 + down, x + column - 1 + right)
                expected += convolution.weight[:, :, row, column] @ seen * factors[place, y, x]
            torch.testing.assert_close(found[0, :, y, x], expected, rtol=1e-4, atol=1e-4)


def test_half_precision_is_computed_on_a_cpu() -> None:
    convolution, maps = learnt_convolution(), torch.randn(1, 2, 4, 5, requires_grad=True)
    expected = convolution(maps)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = convolution(maps.bfloat16())
    assert found.dtype == torch.bfloat16
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)
    found.sum().backward()
    assert convolution.weight.grad is not None
