"""What every detector promises, whichever parts it is made of."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from tests.models.conftest import NUM_CHANNELS

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.errors import SettingsError
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.checkpoint import Checkpoint, read_checkpoint, write_checkpoint
from etram_pipeline.models.detector import Detector, State, reset_state, total_loss
from etram_pipeline.models.detectors import DetectorConfig
from etram_pipeline.models.execution import Execution

Build = Callable[[DetectorConfig], Detector]
MakeBatch = Callable[..., SequenceBatch]

EVERYTHING = SuppressionSettings(score_threshold=0, iou_threshold=1)


def with_targets(batch: SequenceBatch, target: Targets) -> SequenceBatch:
    return replace(batch, targets=(target,) * len(batch.keyframes))


def no_targets() -> Targets:
    return Targets(torch.zeros(0, 4), torch.zeros(0, dtype=torch.int64))


def assert_same_memories(of_detection: State, of_training: State) -> None:
    """In training, those of an auxiliary task may follow."""
    own = of_training[: len(of_detection)]
    assert all(a.shape == b.shape for a, b in zip(of_detection, own, strict=True))


def test_every_parameter_learns(any_detector: Detector, make_batch: MakeBatch) -> None:
    losses, _ = any_detector.train().losses(make_batch(), ())
    total_loss(losses).backward()
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
        loss = total_loss(detector.losses(batch, ())[0])
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


@pytest.mark.parametrize(("height", "width"), [(64, 64), (96, 48), (33, 200), (65, 129)])
def test_frames_of_any_size_are_learnt_from_and_detected_in(
    any_detector: Detector, make_batch: MakeBatch, height: int, width: int
) -> None:
    batch = make_batch(height=height, width=width)
    losses, state = any_detector.train().losses(batch, ())
    assert total_loss(losses).isfinite()
    with torch.no_grad():
        frames, after = any_detector.eval().detect(batch, (), EVERYTHING)
    assert_same_memories(after, state)
    for found in frames:
        assert len(found.scores) > 0
        assert (found.boxes_xyxy >= 0).all()
        assert (found.boxes_xyxy <= torch.tensor([width, height, width, height])).all()


def test_two_half_clips_are_one_whole_clip(any_detector: Detector, make_batch: MakeBatch) -> None:
    detector = any_detector.eval()
    clip = make_batch(keyframes=((0, 0), (0, 1), (1, 0), (1, 1)))
    here = torch.tensor([[0, 0], [0, 1]])
    first = replace(clip, frames=clip.frames[:1], keyframes=here)
    second = replace(
        clip, frames=clip.frames[1:], keyframes=here, starts=torch.tensor([False, False])
    )
    with torch.no_grad():
        whole, whole_state = detector.detect(clip, (), EVERYTHING)
        found, state = detector.detect(first, (), EVERYTHING)
        rest, half_state = detector.detect(second, state, EVERYTHING)
    for ours, theirs in zip([*found, *rest], whole, strict=True):
        torch.testing.assert_close(ours.scores, theirs.scores)
    torch.testing.assert_close(half_state, whole_state)


def test_only_lanes_that_start_forget(any_detector: Detector, make_batch: MakeBatch) -> None:
    detector = any_detector.eval()
    later = make_batch(starts=(True, False), keyframes=((0, 0), (0, 1)))
    with torch.no_grad():
        _, state = detector.detect(make_batch(), (), EVERYTHING)
        found, _ = detector.detect(later, state, EVERYTHING)
        fresh, carried = (
            detector.detect(replace(later, starts=torch.tensor([start] * 2)), state, EVERYTHING)[0]
            for start in (True, False)
        )
    torch.testing.assert_close(found[0].scores, fresh[0].scores)
    torch.testing.assert_close(found[1].scores, carried[1].scores)
    if state:
        assert not torch.equal(fresh[1].scores, carried[1].scores)


def test_lanes_are_seen_apart(any_detector: Detector, make_batch: MakeBatch) -> None:
    batch, detector = make_batch(keyframes=((1, 0), (1, 1))), any_detector.eval()
    alone = replace(
        batch,
        frames=batch.frames[:, 1:],
        starts=batch.starts[1:],
        keyframes=torch.tensor([[1, 0]]),
    )
    with torch.no_grad():
        (_, beside_another), state = detector.detect(batch, (), EVERYTHING)
        (by_itself,), own_state = detector.detect(alone, (), EVERYTHING)
    torch.testing.assert_close(beside_another.scores, by_itself.scores, rtol=1e-4, atol=1e-5)
    for memory, own in zip(state, own_state, strict=True):
        torch.testing.assert_close(memory[1:], own, rtol=1e-4, atol=1e-5)


def test_the_same_seed_learns_the_same_to_the_bit(
    any_config: DetectorConfig, build: Build, make_batch: MakeBatch
) -> None:
    batch, seen = make_batch(), []
    for _ in range(2):
        torch.manual_seed(3)
        detector = build(any_config).train()
        losses, _ = detector.losses(batch, ())
        total_loss(losses).backward()
        gradients = [weight.grad for weight in detector.parameters() if weight.grad is not None]
        seen.append([*losses.values(), *gradients])
    assert all(torch.equal(first, second) for first, second in zip(*seen, strict=True))


def test_checkpoints_keep_what_is_detected(
    any_config: DetectorConfig, build: Build, make_batch: MakeBatch, tmp_path: Path
) -> None:
    detector, batch = build(any_config), make_batch()
    detector.train().losses(batch, ())  # statistics that a new detector does not have
    about = Checkpoint(detector.eval(), any_config, NUM_CHANNELS, ("car", "tram", "bus"))
    write_checkpoint(tmp_path / "detector.ckpt", about)
    read = read_checkpoint(tmp_path / "detector.ckpt")
    assert read.detector_config == any_config
    with torch.no_grad():
        expected, _ = detector.detect(batch, (), EVERYTHING)
        found, _ = read.detector.detect(batch, (), EVERYTHING)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.boxes_xyxy, theirs.boxes_xyxy)
        assert torch.equal(ours.scores, theirs.scores)


def test_scores_are_the_product_of_their_factors_where_there_are_any(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    with torch.no_grad():
        frames, _ = any_detector.eval().detect(make_batch(), (), EVERYTHING)
    for found in frames:
        assert (found.objectness is None) == (found.class_scores is None)
        if found.objectness is not None and found.class_scores is not None:
            assert torch.equal(found.scores, found.objectness * found.class_scores)


@pytest.mark.parametrize(
    "choice",
    [{"order": "steps"}, {"order": "stages"}, {"checkpoint_activations": True}],
    ids=str,
)
def test_executions_are_followed_without_another_result_or_refused(
    any_detector: Detector, make_batch: MakeBatch, choice: dict[str, object]
) -> None:
    (name,), detector, batch = choice, any_detector.train(), make_batch()
    execution = Execution.model_validate(choice)
    if name not in detector.execution_choices:
        with pytest.raises(SettingsError, match=rf"train.execution.{name} is .* cannot follow it"):
            detector.execute_with(execution)
        return
    before = {key: value.clone() for key, value in detector.state_dict().items()}
    expected, _ = detector.losses(batch, ())
    after = {key: value.clone() for key, value in detector.state_dict().items()}
    detector.load_state_dict(before)
    detector.execute_with(execution)
    found, _ = detector.losses(batch, ())
    total_loss(found).backward()  # activations that are computed twice must not count twice either
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    for key, value in detector.state_dict().items():
        torch.testing.assert_close(value, after[key], rtol=1e-4, atol=1e-5, msg=key)


def test_compiling_keeps_the_names_of_weights_or_is_refused(any_detector: Detector) -> None:
    names, execution = list(any_detector.state_dict()), Execution(compile=True)
    if "compile" not in any_detector.execution_choices:
        with pytest.raises(SettingsError, match=r"train.execution.compile is True"):
            any_detector.execute_with(execution)
        return
    any_detector.execute_with(execution)
    assert list(any_detector.state_dict()) == names


def test_learning_without_targets_is_refused(any_detector: Detector, make_batch: MakeBatch) -> None:
    with pytest.raises(ValueError, match="2 keyframes but targets for 0"):
        any_detector.losses(replace(make_batch(), targets=()), ())


def test_frames_without_objects_teach_that_there_are_none(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch = with_targets(make_batch(), no_targets())
    losses, _ = any_detector.train().losses(batch, ())
    total_loss(losses).backward()
    assert losses["num_foreground"] == 0
    assert total_loss(losses) > 0
    assert all(
        weight.grad is not None and weight.grad.isfinite().all()
        for weight in any_detector.parameters()
    )


def test_no_keyframe_means_no_loss_and_no_detections(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch, detector = make_batch(keyframes=()), any_detector.train()
    usual = detector.losses(make_batch(), ())[0]
    losses, state = detector.losses(batch, ())
    total_loss(losses).backward()
    assert losses.keys() == usual.keys()
    assert total_loss(losses) == 0
    assert all(weight.grad is not None for weight in detector.parameters())
    found, after = detector.eval().detect(batch, (), EVERYTHING)
    assert (found, bool(after)) == ([], detector.has_memory)
    assert_same_memories(after, state)


def test_no_keyframe_means_that_no_statistic_changes(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    detector = any_detector.train()
    before = {name: value.clone() for name, value in detector.named_buffers()}
    losses, _ = detector.losses(make_batch(keyframes=()), ())
    total_loss(losses).backward()
    assert all(torch.equal(value, before[name]) for name, value in detector.named_buffers())


def test_windows_without_events_are_no_trouble(
    any_detector: Detector, make_batch: MakeBatch
) -> None:
    batch = make_batch()
    silent = replace(batch, frames=torch.zeros_like(batch.frames))
    losses, _ = any_detector.train().losses(silent, ())
    assert total_loss(losses).isfinite()
    found, _ = any_detector.eval().detect(silent, (), EVERYTHING)
    assert all(frame.scores.isfinite().all() for frame in found)


def test_settings_survive_being_written_down(any_config: DetectorConfig) -> None:
    for mode in ("json", "python"):
        written = any_config.model_dump(mode=mode, serialize_as_any=True)
        assert DetectorConfig.model_validate(written) == any_config


def test_the_total_loss_leaves_counts_and_running_values_out() -> None:
    losses = {
        "box": torch.tensor(2.0),
        "class": torch.tensor(0.5),
        "num_foreground": torch.ones(()),
        "running_recall_small": torch.ones(()),
    }
    assert total_loss(losses) == 2.5


def test_a_lane_that_starts_forgets_even_what_is_not_a_number() -> None:
    state = (torch.full((2, 3), torch.nan), torch.ones(2, 1, 4))
    fresh = reset_state(state, torch.tensor([True, False]))
    assert fresh[0][0].tolist() == [0, 0, 0]
    assert fresh[0][1].isnan().all()
    assert fresh[1].sum(dim=(1, 2)).tolist() == [0, 4]
    assert reset_state((), torch.tensor([True])) == ()
