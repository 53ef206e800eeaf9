"""Training at several resolutions."""

from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from jaxtyping import Float
from pytorch_lightning.loggers.logger import DummyLogger
from torch import Tensor
from typing_extensions import override

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.detector import Detector
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.training.checkpoints import LAST
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.fit import Blueprint, fit
from etram_pipeline.training.resolution import MixedResolution
from etram_pipeline.training.settings import ResolutionSettings, TrainSettings

NANO = {
    "kind": "rvt",
    "backbone": {
        "kind": "maxvit",
        "embed_dim": 8,
        "dim_multipliers": [1, 2, 2, 2],
        "attention": {"dim_head": 8},
    },
    "neck": {"kind": "pafpn", "num_bottlenecks": 1},
}


def build(**changes: object) -> Detector:
    torch.manual_seed(0)
    return DetectorConfig.model_validate(NANO | changes).build(in_channels=4, num_classes=2)


def batch_of(height: int, width: int) -> SequenceBatch:
    generator = torch.Generator().manual_seed(1)
    frames = torch.randint(0, 10, (2, 2, 4, height, width), generator=generator, dtype=torch.uint8)
    box = torch.tensor([[10.0, 12.0, 40.0, 36.0]])
    return SequenceBatch(
        frames,
        starts=torch.tensor([False, False]),
        keyframes=torch.tensor([[1, 0]]),
        targets=(Targets(box, torch.tensor([1])),),
    )


def mixed(
    detector: Detector, *scales: float, every_batches: int = 1, seed: int = 0
) -> MixedResolution:
    settings = ResolutionSettings(scales=scales, every_batches=every_batches)
    return MixedResolution(settings, detector, seed)


def number_where(resolution: MixedResolution, before: float, now: float) -> int:
    """A batch of scale `now` that follows one of scale `before`."""
    return next(
        number
        for number in range(1, 1000)
        if (resolution.scale(number - 1), resolution.scale(number)) == (before, now)
    )


@pytest.mark.parametrize("size", [(96, 128), (90, 122), (64, 64)])
def test_a_stream_is_learnt_from_through_changes_of_scale(size: tuple[int, int]) -> None:
    detector = build()
    resolution = mixed(detector, 0.75, 1.0, 1.25, every_batches=2)
    state: tuple[Tensor, ...] = ()
    sizes = set()
    for number in range(8):
        batch, state = resolution(batch_of(*size), state, number)
        losses, after = detector.losses(batch, state)
        assert [memory.shape for memory in state] == [memory.shape for memory in after][
            : len(state)
        ]
        assert all(loss.isfinite() for loss in losses.values())
        state = tuple(memory.detach() for memory in after)
        sizes.add(tuple(batch.frames.shape[-2:]))
    expected = {(round(size[0] * scale), round(size[1] * scale)) for scale in (0.75, 1.0, 1.25)}
    assert len(sizes) > 1
    assert sizes <= expected


@pytest.mark.parametrize("scales", [(), (1.0,), (1.0, 1.0)])
def test_a_scale_of_one_changes_nothing(scales: tuple[float, ...]) -> None:
    batch, state = batch_of(90, 122), (torch.rand(2, 3, 4, 5),)
    same_batch, same_state = mixed(build(), *scales)(batch, state, 3)
    assert same_batch is batch
    assert same_state[0] is state[0]


class PowerCut(DummyLogger):
    """Fails when a step is logged."""

    def __init__(self, step: int) -> None:
        super().__init__()
        self._step = step

    @override
    def log_metrics(self, *args: object, **kwargs: object) -> None:
        metrics, step = args[0] if args else kwargs["metrics"], kwargs.get("step")
        if step == self._step - 1 and "train/loss" in cast("dict[str, float]", metrics):
            raise RuntimeError("power cut")


def test_an_interrupted_training_at_several_resolutions_continues_bit_by_bit(
    record: Callable[..., LabelledRecordings], settings: TrainSettings, tmp_path: Path
) -> None:
    scales = ResolutionSettings(scales=(0.5, 1.0, 2.0), every_batches=1)
    varied = settings.model_copy(update={"resolution": scales, "max_steps": 4, "clip_length": 2})
    drawn = [mixed(build(), *scales.scales).scale(number) for number in range(4)]
    assert len(set(drawn[1:])) > 1
    blueprint = Blueprint(detector=DetectorConfig.model_validate(NANO), class_names=("a", "b"))
    val = record(1, num_windows=4)
    straight = fit(record(2), val, blueprint, varied, tmp_path / "straight")
    with pytest.raises(RuntimeError, match="power cut"):
        fit(record(2), val, blueprint, varied, tmp_path / "cut", [PowerCut(4)])
    continued = fit(record(2), val, blueprint, varied, tmp_path / "cut")
    last = [torch.load(path.with_name(LAST))["state_dict"] for path in (straight, continued)]
    assert all(torch.equal(last[0][name], last[1][name]) for name in last[0])


def test_boxes_stay_on_their_objects() -> None:
    batch = batch_of(64, 64)
    frames = torch.zeros_like(batch.frames)
    frames[..., 12:36, 10:40] = 8
    resized, _ = mixed(build(), 1.5)(replace(batch, frames=frames), (), 0)
    assert resized.frames.shape == (2, 2, 4, 96, 96)
    assert resized.targets[0].boxes_xyxy.tolist() == [[15, 18, 60, 54]]
    rows, columns = (resized.frames[0, 0, 0] >= 4).nonzero().T
    assert [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1] == [15, 18, 60, 54]


def centre_of_mass(memory: Float[Tensor, "H W"]) -> tuple[float, float]:
    """In shares of a cell, from the upper left corner of the memory."""
    rows, columns = (torch.arange(length) + 0.5 for length in memory.shape)
    total = memory.sum()
    return float(memory.sum(1) @ rows / total), float(memory.sum(0) @ columns / total)


@pytest.mark.parametrize(("before", "now"), [(1.0, 0.75), (0.75, 1.0), (1.0, 1.25), (0.75, 1.25)])
def test_what_is_remembered_stays_where_it_is_in_the_image(before: float, now: float) -> None:
    """Frames of 90 x 122 px are padded to 128 x 128, others by another share."""
    detector = build()
    resolution = mixed(detector, 0.75, 1.0, 1.25)
    number = number_where(resolution, before, now)
    _, state = detector.losses(resolution(batch_of(90, 122), (), number - 1)[0], ())
    memory = torch.zeros_like(state[0].detach())
    memory[..., 5:9, 8:12] = 1.0
    (centre,) = {centre_of_mass(memory[0, 0])}
    _, (resized,) = resolution(batch_of(90, 122), (memory,), number)
    found = centre_of_mass(resized[0, 0])
    ratios = [round(length * now) / round(length * before) for length in (90, 122)]
    expected = [ratio * place for ratio, place in zip(ratios, centre, strict=True)]
    assert found == pytest.approx(expected, abs=0.15)


def test_memories_without_padding_are_resized_as_images_are() -> None:
    detector = build()
    resolution = mixed(detector, 1.0, 2.0)
    memory = torch.rand(2, 3, 16, 32)
    number = number_where(resolution, 1.0, 2.0)
    _, (resized,) = resolution(batch_of(64, 128), (memory,), number)
    expected = torch.nn.functional.interpolate(memory, scale_factor=2.0, mode="bilinear")
    torch.testing.assert_close(resized, expected)


def test_memories_keep_their_type() -> None:
    resolution = mixed(build(), 1.0, 2.0)
    memory = torch.rand(2, 3, 16, 32).bfloat16()
    number = number_where(resolution, 1.0, 2.0)
    assert resolution(batch_of(64, 128), (memory,), number)[1][0].dtype == torch.bfloat16


def test_mixed_precision_moves_nothing_that_is_remembered() -> None:
    resolution = mixed(build(), 1.0, 2.0)
    memory = torch.rand(2, 3, 16, 160)
    number = number_where(resolution, 1.0, 2.0)
    _, (expected,) = resolution(batch_of(64, 640), (memory,), number)
    with torch.autocast("cpu", torch.bfloat16):
        _, (resized,) = resolution(batch_of(64, 640), (memory,), number)
    assert torch.equal(resized, expected)


def test_scales_are_drawn_evenly_for_several_batches_at_a_time() -> None:
    resolution = mixed(build(), 0.5, 1.0, 2.0, every_batches=5)
    drawn = [resolution.scale(number) for number in range(3000)]
    assert all(len(set(drawn[first : first + 5])) == 1 for first in range(0, 3000, 5))
    assert all(150 < count < 250 for count in Counter(drawn[::5]).values())


def test_the_scale_follows_from_seed_and_number_alone() -> None:
    numbers = range(200)
    one, same, other = (mixed(build(), 0.5, 1.0, seed=seed) for seed in (1, 1, 2))
    backwards = [same.scale(number) for number in reversed(numbers)]
    assert [one.scale(number) for number in numbers] == backwards[::-1]
    assert [one.scale(number) for number in numbers] != [other.scale(n) for n in numbers]


def test_a_detector_that_resizes_by_itself_is_refused() -> None:
    detector = build(input_size=[64, 64])
    with pytest.raises(ValueError, match=r"detector\.input_size \[64, 64\] would resize back"):
        mixed(detector, 0.5, 1.0)
    assert mixed(detector)(batch_of(64, 64), (), 0)[0].frames.shape[-1] == 64


@pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
def test_scales_that_leave_no_image_are_refused(scale: float) -> None:
    with pytest.raises(ValueError, match="scales must be positive"):
        ResolutionSettings(scales=(1.0, scale))
