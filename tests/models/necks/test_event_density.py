import pytest
import torch
from torch import Tensor

from etram_pipeline.models.event_density import event_density
from etram_pipeline.models.necks import Neck, NeckConfig

CHANNELS, STRIDES = (8, 16), (4, 8)


def density_written_out(frames: Tensor, stride: int) -> Tensor:
    images, channels, height, width = frames.shape
    density = torch.zeros(images, 1, height // stride, width // stride)
    for image in range(images):
        for y in range(height):
            for x in range(width):
                for channel in range(channels):
                    seen = abs(float(frames[image, channel, y, x]))
                    density[image, 0, y // stride, x // stride] += seen / stride**2
    return density


def learnt() -> Neck:
    neck = NeckConfig.model_validate({"kind": "event_density"}).build(CHANNELS, STRIDES, 2).eval()
    for name, parameter in neck.named_parameters():
        if name.startswith("gates"):
            torch.nn.init.normal_(parameter)
    return neck


def make_maps() -> tuple[Tensor, Tensor]:
    return torch.randn(2, 8, 4, 6), torch.randn(2, 16, 2, 3)


@pytest.mark.parametrize("stride", [1, 4, 8])
@pytest.mark.parametrize("kind", ["counts", "signed"])
def test_density_is_the_number_of_events_per_px(stride: int, kind: str) -> None:
    frames = torch.randint(0, 256, (2, 3, 16, 8), dtype=torch.uint8)
    if kind == "signed":
        frames = torch.randn(2, 3, 16, 8)
    torch.testing.assert_close(event_density(frames, stride), density_written_out(frames, stride))


def test_the_lowest_number_of_8_bits_counts_as_its_magnitude() -> None:
    frames = torch.full((1, 2, 4, 4), -128, dtype=torch.int8)
    assert event_density(frames, 4).tolist() == [[[[256.0]]]]


def test_what_the_inner_neck_merges_is_weighed_by_density() -> None:
    neck, maps = learnt(), make_maps()
    frames = torch.poisson(torch.full((2, 2, 16, 24), 0.4))
    merged: list[tuple[Tensor, ...]] = []
    neck.get_submodule("inner").register_forward_pre_hook(lambda _, given: merged.append(given[0]))
    neck(maps, frames)
    for scale, stride in enumerate(STRIDES):
        density = density_written_out(frames, stride)
        bounded = density / (1 + density)
        slope = neck.get_parameter(f"gates.{scale}.logits.weight").view(1, -1, 1, 1)
        offset = neck.get_parameter(f"gates.{scale}.logits.bias").view(1, -1, 1, 1)
        factors = 2 / (1 + (-(slope * bounded + offset)).exp())
        torch.testing.assert_close(merged[0][scale], maps[scale] * factors)


def test_gradients_reach_the_frames() -> None:
    neck, maps = learnt(), make_maps()
    frames = torch.rand(2, 2, 16, 24, requires_grad=True)
    torch.stack([found.square().sum() for found in neck(maps, frames)]).sum().backward()
    assert frames.grad is not None
    assert (frames.grad != 0).all()


def test_a_window_without_events_is_weighed_by_the_offset_alone() -> None:
    neck, maps = learnt(), make_maps()
    silent = neck(maps, torch.zeros(2, 2, 16, 24, dtype=torch.uint8))
    weighed = tuple(
        each * 2 * neck.get_parameter(f"gates.{scale}.logits.bias").sigmoid().view(1, -1, 1, 1)
        for scale, each in enumerate(maps)
    )
    expected = neck.get_submodule("inner")(weighed)
    for found, wanted in zip(silent, expected, strict=True):
        torch.testing.assert_close(found, wanted)
