"""What every detector promises, whichever parts it is made of."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.component import kinds
from etram_pipeline.models.classes import TrainingClasses
from etram_pipeline.models.detector import Detector, Losses, reset_state
from etram_pipeline.models.detectors import DetectorConfig, rvt
from etram_pipeline.models.suppression import SuppressionSettings

PARTS = {
    "backbone": "backbones",
    "cell": "cells",
    "refinement": "refinements",
    "neck": "necks",
    "head": "heads",
    "loss": "losses",
    "auxiliary": "auxiliaries",
}

DEFAULTS = rvt.Config().model_dump(serialize_as_any=True)

CHOICES: list[dict[str, object]] = [
    {"kind": kind} for kind in kinds("etram_pipeline.models.detectors")
]
CHOICES += [
    {"kind": "rvt", part: {"kind": kind}}
    for part, package in PARTS.items()
    for kind in kinds(f"etram_pipeline.models.{package}")
    if kind != DEFAULTS[part]["kind"]
]
CHOICES += [
    {"kind": "rvt", "cell": {"kind": "conv_lstm", "depthwise": mixed}}
    for mixed in ("hidden", "input_and_hidden")
]

CHOICES += [
    {"kind": "rvt", "loss": {"kind": "yolox", "size_weight": {"kind": kind}}}
    for kind in kinds("etram_pipeline.models.size_weights")
]
CHOICES += [
    {"kind": "rvt", "loss": {"kind": "yolox", "classification": {"kind": kind}}}
    for kind in kinds("etram_pipeline.models.classification_losses")
]
CHOICES += [
    {"kind": "rvt", "neck_stages": (1, 2, 3, 4)},
    {"kind": "rvt", "input_size": (48, 96)},
]

Build = Callable[[DetectorConfig], Detector]
MakeBatch = Callable[..., SequenceBatch]

EVERYTHING = SuppressionSettings(score_threshold=0, iou_threshold=1)


@pytest.fixture(params=CHOICES, ids=str)
def any_config(request: pytest.FixtureRequest, config: rvt.Config) -> DetectorConfig:
    """Every detector, and RVT with every part, everything else as small as `config`."""
    small = config.model_dump(serialize_as_any=True) if request.param["kind"] == "rvt" else {}
    config_of_any = DetectorConfig.model_validate(small | request.param)
    return config_of_any.for_classes(TrainingClasses(("car", "tram", "bus"), (100, 0, 7)))


@pytest.fixture
def any_detector(any_config: DetectorConfig, build: Build) -> Detector:
    return build(any_config)


def total(losses: Losses) -> Tensor:
    return torch.stack([loss for name, loss in losses.items() if not name.startswith("num_")]).sum()


def with_targets(batch: SequenceBatch, target: Targets) -> SequenceBatch:
    return replace(batch, targets=(target,) * len(batch.keyframes))


def no_targets() -> Targets:
    return Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def test_every_parameter_learns(any_detector: Detector, make_batch: MakeBatch) -> None:
    losses, _ = any_detector.train().losses(make_batch(), ())
    total(losses).backward()
    gradients = {name: weight.grad for name, weight in any_detector.named_parameters()}
    assert [name for name, gradient in gradients.items() if gradient is None] == []
    learnt = [gradient for gradient in gradients.values() if gradient is not None]
    assert all(gradient.isfinite().all() for gradient in learnt)
    # Strides that no object is assigned to have nothing to learn about boxes and classes.
    assert sum(bool(gradient.any()) for gradient in learnt) > len(learnt) / 2


def test_loss_falls_on_what_is_seen_again(any_detector: Detector, make_batch: MakeBatch) -> None:
    batch, detector = make_batch(), any_detector.train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=2e-3)
    seen = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = total(detector.losses(batch, ())[0])
        loss.backward()
        optimizer.step()
        seen.append(loss.item())
    # Assignments change between steps: a single step may be a bad one, on some processors.
    assert min(seen[-5:]) < 0.9 * seen[0]


def test_detections_are_inside_the_image_and_best_first(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch = make_batch(height=50, width=60)
    suppression = EVERYTHING.model_copy(update={"max_detections": 25})
    with torch.no_grad():
        frames, _ = any_detector.eval().detect(batch, (), suppression)
    assert [len(found.class_ids) for found in frames] == [25, 25]
    for found in frames:
        assert (found.boxes_xyxy >= 0).all()
        assert (found.boxes_xyxy <= torch.tensor([60, 50, 60, 50])).all()
        assert (found.boxes_xyxy[:, 2:] > found.boxes_xyxy[:, :2]).all()
        assert (found.scores.diff() <= 0).all()
        assert set(found.class_ids.tolist()) <= {0, 1, 2}


def test_two_half_clips_are_one_whole_clip(any_detector: Detector, make_batch: MakeBatch) -> None:
    frames, detector = make_batch().frames, any_detector.eval()
    with torch.no_grad():
        whole, whole_state = detector(frames)
        first, state = detector(frames[:1])
        second, half_state = detector(frames[1:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(half_state, whole_state)


def test_only_lanes_that_start_forget(any_detector: Detector, make_batch: MakeBatch) -> None:
    earlier, detector = make_batch(), any_detector.eval()
    later = make_batch(starts=(True, False), keyframes=((0, 0), (0, 1)))
    with torch.no_grad():
        _, state = detector(earlier.frames)
        fresh, _ = detector(later.frames)
        carried, _ = detector(later.frames, state)
        found, _ = detector.detect(later, state, EVERYTHING)
        expected = [
            detector.detect(replace(later, starts=torch.tensor([start] * 2)), state, EVERYTHING)[0]
            for start in (True, False)
        ]
    torch.testing.assert_close(found[0].scores, expected[0][0].scores)
    torch.testing.assert_close(found[1].scores, expected[1][1].scores)
    if state:
        assert not torch.equal(fresh[0, 1], carried[0, 1])


def test_frames_without_objects_teach_that_there_are_none(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch = with_targets(make_batch(), no_targets())
    losses, _ = any_detector.train().losses(batch, ())
    total(losses).backward()
    assert losses["num_foreground"] == 0
    assert total(losses) > 0
    assert all(
        weight.grad is not None and weight.grad.isfinite().all()
        for weight in any_detector.parameters()
    )


def test_no_keyframe_means_no_loss_and_no_detections(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch, detector = make_batch(keyframes=()), any_detector.train()
    usual, _ = detector.losses(make_batch(), ())
    losses, state = detector.losses(batch, ())
    total(losses).backward()
    assert losses.keys() == usual.keys()
    assert total(losses) == 0
    assert all(weight.grad is not None for weight in detector.parameters())
    found, after = detector.eval().detect(batch, (), EVERYTHING)
    assert found == []
    assert len(after) == len(state)


def test_windows_without_events_are_no_trouble(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    silent = replace(batch, frames=torch.zeros_like(batch.frames))
    losses, _ = any_detector.train().losses(silent, ())
    assert total(losses).isfinite()
    found, _ = any_detector.eval().detect(silent, (), EVERYTHING)
    assert all(frame.scores.isfinite().all() for frame in found)


def test_settings_survive_being_written_down(any_config: DetectorConfig) -> None:
    for mode in ("json", "python"):
        written = any_config.model_dump(mode=mode, serialize_as_any=True)
        assert DetectorConfig.model_validate(written) == any_config


def test_a_lane_that_starts_forgets_even_what_is_not_a_number() -> None:
    state = (torch.full((2, 3), torch.nan), torch.ones(2, 1, 4))
    fresh = reset_state(state, torch.tensor([True, False]))
    assert fresh[0][0].tolist() == [0, 0, 0]
    assert fresh[0][1].isnan().all()
    assert fresh[1].sum(dim=(1, 2)).tolist() == [0, 4]
    assert reset_state((), torch.tensor([True])) == ()
