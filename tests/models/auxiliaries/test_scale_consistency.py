"""Two scales of one clip, of which the smaller one learns from the larger."""

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from tests.models.detector_choices import SMALL

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.models import normalisation
from etram_pipeline.models.auxiliaries.scale_consistency import objects_apart
from etram_pipeline.models.classes import TrainingClips
from etram_pipeline.models.detector import Detector, Losses, State
from etram_pipeline.models.detectors import DetectorConfig, rvt
from etram_pipeline.models.object_predictions import ObjectPredictions
from etram_pipeline.models.resizing import resize_frames, resize_targets

MakeBatch = Callable[..., SequenceBatch]
LOSSES = ("scale_objectness", "scale_class", "scale_box", "scale_score")


def consistent(config: DetectorConfig, scale: float) -> Detector:
    """The same detector, which asks itself for agreement, and is of many minds about objects."""
    task = {"kind": "scale_consistency", "scale": scale, "margin": 0.0}
    given = config.model_dump(serialize_as_any=True)
    head = {**given["head"], "prior_probability": 0.5}
    changed = DetectorConfig.model_validate(given | {"auxiliary": task, "head": head})
    detector = changed.build(4, 3)
    with torch.no_grad():
        for name, weight in detector.named_parameters():
            if name.endswith(("class_output.weight", "objectness_output.weight")):
                weight.mul_(100)
    return detector


def found(losses: Losses) -> torch.Tensor:
    return torch.stack([losses[name] for name in LOSSES])


def of_kind(kind: str, config: rvt.Config) -> DetectorConfig:
    if kind == "rvt":
        return config
    return DetectorConfig.model_validate({"kind": kind} | SMALL[kind])


@pytest.mark.parametrize("kind", ["rvt", "yolox"])
def test_a_second_look_at_the_same_scale_says_the_same(
    config: rvt.Config, make_batch: MakeBatch, kind: str
) -> None:
    detector = consistent(of_kind(kind, config), scale=1.0).train()
    losses, state = detector.losses(make_batch(), ())
    assert found(losses).abs().max() < 1e-6
    own = len(state) // 2
    losses, after = detector.losses(make_batch(starts=(False, True)), state)
    assert found(losses).abs().max() < 1e-6
    for first, second in zip(after[:own], after[own:], strict=True):
        torch.testing.assert_close(first, second)


@pytest.mark.parametrize("scale", [0.5, 1.5])
def test_the_larger_scale_has_no_gradient(
    config: rvt.Config, make_batch: MakeBatch, scale: float
) -> None:
    batch = make_batch()
    detector = consistent(config, scale).eval()
    losses, state = detector.losses(batch, ())
    assert found(losses).min() > 0
    own = len(state) // 2
    assert [memory.requires_grad for memory in state] == [True] * own + [scale < 1] * own

    # The gradient is that of the smaller frames alone.
    assert isinstance(detector, rvt.RVT)
    objects = []
    for side in sorted([64, round(64 * scale)]):
        frames = resize_frames(batch.frames, side, side)
        seen, _ = detector.keyframe_features(replace(batch, frames=frames), ())
        targets = resize_targets(batch.targets, (64, 64), (side, side))
        objects.append(ObjectPredictions.of(seen.predictions, targets))
    smaller, larger = objects
    boxes, scores = objects_apart(smaller, larger, margin=0.0)
    torch.testing.assert_close(found(losses)[2:], torch.stack([boxes, scores]))
    weight = next(detector.backbone.parameters())
    (expected,) = torch.autograd.grad(boxes, weight, retain_graph=True)
    (gradient,) = torch.autograd.grad(losses["scale_box"], weight)
    assert gradient.abs().max() > 0
    torch.testing.assert_close(gradient, expected)


def test_statistics_of_layers_are_those_of_the_frames_alone(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    helped = consistent(config, 0.5).train()
    plain = config.build(4, 3).train()
    plain.load_state_dict(helped.state_dict())
    helped.losses(batch, ())
    plain.losses(batch, ())
    for name, value in plain.named_buffers():
        assert torch.equal(helped.get_buffer(name), value)


def test_memories_of_the_second_scale_follow_each_lane(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    first, second = make_batch(), make_batch(starts=(False, True))
    detector = consistent(config, 2.0).eval()
    alone = config.build(4, 3).eval()
    alone.load_state_dict(detector.state_dict())
    with torch.no_grad():
        _, state = detector.losses(first, ())
        _, state = detector.losses(second, state)
        own: State = ()
        for batch in (first, second):
            larger = replace(batch, frames=resize_frames(batch.frames, 128, 128))
            at_larger = resize_targets(batch.targets, (64, 64), (128, 128))
            _, own = alone.losses(replace(larger, targets=at_larger), own)
    for ours, theirs in zip(state[len(own) :], own, strict=True):
        torch.testing.assert_close(ours, theirs)


def predictions(errors: list[list[float]], scores: list[float]) -> ObjectPredictions:
    """Predictions of objects with these errors, and scores up to 1 by the class alone."""
    count = len(scores)
    index = torch.arange(count)
    sure = torch.full((count,), 40.0)
    return ObjectPredictions(
        index, index, torch.tensor(errors).view(-1, 4), sure, torch.tensor(scores).logit()
    )


def test_objects_differ_by_boxes_and_scores_beyond_the_margin() -> None:
    learner = predictions([[0.5, 0.0, 0.0, -0.1], [0.0, 0.0, 0.0, 1.0]], [0.7, 0.5])
    teacher = predictions([[0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0]], [0.9, 0.6])
    boxes, scores = objects_apart(learner, teacher, margin=0.15)
    # Weighed by the teacher's scores: means of 0.35 / 4 and 0.85 / 4, and 0.05 and 0.
    assert float(boxes) == pytest.approx((0.9 * 0.35 / 4 + 0.6 * 0.85 / 4) / 1.5, rel=1e-4)
    assert float(scores) == pytest.approx(0.9 * 0.05 / 1.5, rel=1e-4)
    boxes, scores = objects_apart(predictions([], []), predictions([], []), margin=0.1)
    assert boxes == scores == 0


def test_objects_of_all_processes_are_counted_together(monkeypatch: pytest.MonkeyPatch) -> None:
    learner = predictions([[0.5, 0.0, 0.0, -0.1]] * 3, [0.7] * 3)
    teacher = predictions([[0.0] * 4] * 3, [0.9] * 3)
    alone = torch.stack(objects_apart(learner, teacher, margin=0.0))
    monkeypatch.setattr(normalisation, "num_ranks", lambda: 2)
    monkeypatch.setattr(normalisation, "sum_over_ranks", lambda own: own + 8.1)  # nine objects
    shared = torch.stack(objects_apart(learner, teacher, margin=0.0))
    torch.testing.assert_close(shared, alone * 3 / (12 / 2))


def test_frames_without_objects_agree_or_differ_by_their_cells_alone(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    nothing = Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))
    detector = consistent(config, 0.75).train()
    losses, _ = detector.losses(replace(make_batch(), targets=(nothing, nothing)), ())
    assert (found(losses) > 0).tolist() == [True, True, False, False]


def test_training_at_several_resolutions_is_refused(config: rvt.Config) -> None:
    given = config.model_dump(serialize_as_any=True) | {"auxiliary": {"kind": "scale_consistency"}}
    detector = DetectorConfig.model_validate(given)
    detector.check_clips(TrainingClips(length=2))
    with pytest.raises(SettingsError, match=r"train.resolution.scales \[0.5\] would resize"):
        detector.check_clips(TrainingClips(length=2, scales=(0.5,)))
