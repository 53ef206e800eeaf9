"""What necks around another neck promise."""

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.component import kinds
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.necks import Neck, NeckConfig, OuterNeckConfig

CHANNELS, STRIDES, FRAME_CHANNELS = (8, 16, 32), (4, 8, 16), 3

OUTER = [
    kind
    for kind in kinds("etram_pipeline.models.necks")
    if isinstance(NeckConfig.model_validate({"kind": kind}), OuterNeckConfig)
]


def build(kind: str, **settings: object) -> Neck:
    config = NeckConfig.model_validate({"kind": kind, **settings})
    return config.build(CHANNELS, STRIDES, FRAME_CHANNELS)


def make_frames() -> Tensor:
    drawn = torch.poisson(torch.full((2, FRAME_CHANNELS, 32, 48), 0.3))
    return drawn.to(torch.uint8)


def make_maps() -> tuple[Tensor, ...]:
    return tuple(
        torch.randn(2, width, 32 // stride, 48 // stride)
        for width, stride in zip(CHANNELS, STRIDES, strict=True)
    )


@pytest.mark.parametrize("kind", OUTER)
def test_before_anything_is_learnt_the_inner_neck_alone_decides(kind: str) -> None:
    neck, maps, frames = build(kind).eval(), make_maps(), make_frames()
    inner = neck.get_submodule("inner")
    assert neck.channels == CHANNELS
    for found, expected in zip(neck(maps, frames), inner(maps), strict=True):
        assert torch.equal(found, expected)


@pytest.mark.parametrize("kind", OUTER)
def test_after_two_steps_all_of_it_learns(kind: str) -> None:
    neck, maps, frames = build(kind), make_maps(), make_frames()
    optimizer = torch.optim.SGD(neck.parameters(), lr=0.1)
    for _ in range(3):
        optimizer.zero_grad()
        goal = [(found - 1).square().mean() for found in neck(maps, frames)]
        torch.stack(goal).sum().backward()
        optimizer.step()
    silent = [
        name
        for name, weight in neck.named_parameters()
        if weight.grad is None or not weight.grad.any()
    ]
    assert silent == []


@pytest.mark.parametrize("kind", OUTER)
def test_an_inner_neck_that_reads_frames_gets_them(kind: str) -> None:
    neck = build(kind, inner={"kind": "event_density"})
    received: list[Tensor] = []
    neck.get_submodule("inner").register_forward_pre_hook(
        lambda _, given: received.append(given[1])
    )
    frames = make_frames()
    assert neck.reads_frames
    neck(make_maps(), frames)
    assert received[0] is frames


@pytest.mark.parametrize("kind", OUTER)
def test_frames_are_missed_if_they_are_read(kind: str) -> None:
    neck, maps = build(kind), make_maps()
    if neck.reads_frames:
        with pytest.raises(ValueError, match="reads the frames, but was called with maps alone"):
            neck(maps)
    else:
        assert [found.shape for found in neck(maps)] == [given.shape for given in maps]


@pytest.mark.parametrize("kind", OUTER)
def test_single_maps_and_half_precision_are_computed(kind: str) -> None:
    config = NeckConfig.model_validate({"kind": kind})
    neck = config.build(CHANNELS[:1], STRIDES[:1], FRAME_CHANNELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        (found,) = neck(make_maps()[:1], make_frames())
    assert found.isfinite().all()


@pytest.mark.parametrize("detector", ["rvt", "yolox"])
@pytest.mark.parametrize("kind", OUTER)
def test_detectors_name_the_inner_neck_that_cannot_be_exported(kind: str, detector: str) -> None:
    for inner, fault in (("pafpn", ""), ("deformable", "neck deformable only from opset 19")):
        neck = {"kind": kind, "inner": {"kind": inner}}
        config = DetectorConfig.model_validate({"kind": detector, "neck": neck})
        assert fault in config.export_fault
        assert bool(config.export_fault) == bool(fault)
