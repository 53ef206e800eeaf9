from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from pydantic import ValidationError

from etram_pipeline.core.batch import SequenceBatch
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.attention import AttentionSettings
from etram_pipeline.models.backbones import maxvit
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.necks import event_density, pafpn

MakeBatch = Callable[..., SequenceBatch]


def sized(embed_dim: int, dim_head: int, num_bottlenecks: int) -> rvt.Config:
    return rvt.Config(
        backbone=maxvit.Config(embed_dim=embed_dim, attention=AttentionSettings(dim_head=dim_head)),
        neck=pafpn.Config(num_bottlenecks=num_bottlenecks),
    )


@pytest.mark.parametrize(
    ("config", "num_classes", "num_parameters"),
    [
        (sized(32, 32, 1), 8, 4_406_311),
        (sized(32, 32, 1), 3, 4_405_336),
        (sized(48, 24, 1), 8, 9_871_911),
        (sized(48, 24, 1), 3, 9_870_456),
        (rvt.Config(), 8, 18_538_791),
        (sized(16, 16, 1), 8, 1_115_687),
    ],
)
def test_sizes_are_those_published(
    config: rvt.Config, num_classes: int, num_parameters: int
) -> None:
    detector = config.build(20, num_classes)
    assert sum(weight.numel() for weight in detector.parameters()) == num_parameters


@pytest.mark.parametrize(("height", "width"), [(64, 64), (50, 70), (65, 129), (33, 200)])
def test_any_input_size_is_padded_inside(detector: rvt.RVT, height: int, width: int) -> None:
    frames = torch.randint(0, 10, (2, 1, 4, height, width), dtype=torch.uint8)
    padded = torch.zeros(2, 1, 4, -(-height // 64) * 64, -(-width // 64) * 64, dtype=torch.uint8)
    padded[..., :height, :width] = frames
    with torch.no_grad():
        found, _ = detector(frames)
        expected, _ = detector(padded)
    assert torch.equal(found, expected)


def test_necks_get_frames_as_the_backbone_reads_them_if_they_read_any(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    batch = make_batch(height=50, width=70, keyframes=((1, 0), (0, 1)))
    padded = torch.zeros(2, 2, 4, 64, 128, dtype=torch.uint8)
    padded[..., :50, :70] = batch.frames
    neck = event_density.Config(inner=config.neck)
    for changes, keyframes, windows in (
        ({}, None, None),
        ({"neck": neck}, padded[[1, 0], [0, 1]], padded.flatten(0, 1)),
    ):
        detector = config.model_copy(update=changes).build(4, 3)
        seen: list[torch.Tensor | None] = []
        detector.neck.register_forward_pre_hook(lambda _, given, into=seen: into.append(given[1]))
        detector.losses(batch, ())
        detector.eval().detect(batch, (), SuppressionSettings())
        detector(batch.frames)
        for found, expected in zip(seen, (keyframes, keyframes, windows), strict=True):
            assert (found is None) == (expected is None)
            assert found is None or expected is None or torch.equal(found, expected)


def test_resized_frames_are_what_necks_read(config: rvt.Config, make_batch: MakeBatch) -> None:
    changes = {"neck": event_density.Config(inner=config.neck), "input_size": (128, 192)}
    detector = config.model_copy(update=changes).build(4, 3)
    seen: list[torch.Size] = []
    detector.neck.register_forward_pre_hook(lambda _, given: seen.append(given[1].shape))
    detector.losses(make_batch(), ())
    assert seen == [(2, 4, 128, 192)]


def test_predictions_are_probabilities_and_pixels_of_every_window(detector: rvt.RVT) -> None:
    with torch.no_grad():
        predictions, state = detector(torch.zeros(3, 2, 4, 64, 128))
    assert predictions.shape == (3, 2, 8 * 16 + 4 * 8 + 2 * 4, 5 + 3)
    assert predictions[..., 4:].min() >= 0
    assert predictions[..., 4:].max() <= 1
    assert [memory.shape[0] for memory in state] == [2] * 8


def test_counts_and_numbers_are_seen_alike(detector: rvt.RVT) -> None:
    frames = torch.randint(0, 10, (1, 1, 4, 64, 64), dtype=torch.uint8)
    with torch.no_grad():
        assert torch.equal(detector(frames)[0], detector(frames.float())[0])


def test_windows_after_the_last_keyframe_do_not_count(
    detector: rvt.RVT, make_batch: MakeBatch
) -> None:
    batch = make_batch(num_windows=3, keyframes=((0, 0), (1, 1)))
    altered = batch.frames.clone()
    altered[2] = 0
    losses, _ = detector.train().losses(batch, ())
    unseen, _ = detector.losses(replace(batch, frames=altered), ())
    torch.testing.assert_close(unseen, losses)


def batches_seen(detector: rvt.RVT) -> set[float]:
    return {
        count.item()
        for name, count in detector.named_buffers()
        if name.endswith("num_batches_tracked")
    }


def test_normalisation_learns_from_keyframes_alone(
    config: rvt.Config, make_batch: MakeBatch
) -> None:
    detector = config.build(4, 3).train()
    detector.losses(make_batch(num_windows=3), ())
    assert batches_seen(detector) == {1}


def test_detecting_is_predicting_at_keyframes(detector: rvt.RVT, make_batch: MakeBatch) -> None:
    batch = make_batch(keyframes=((1, 0),))
    with torch.no_grad():
        predictions, _ = detector(batch.frames)
        [found], _ = detector.detect(
            batch, (), SuppressionSettings(score_threshold=0, iou_threshold=1)
        )
    joint = predictions[1, 0, :, 4] * predictions[1, 0, :, 5:].amax(1)
    torch.testing.assert_close(found.scores[0], joint.max())


def test_windows_of_two_half_clips_are_seen_as_those_of_one(
    detector: rvt.RVT, make_batch: MakeBatch
) -> None:
    frames = make_batch().frames
    with torch.no_grad():
        whole, whole_state = detector(frames)
        first, state = detector(frames[:1])
        second, half_state = detector(frames[1:], state)
    torch.testing.assert_close(torch.cat([first, second]), whole)
    torch.testing.assert_close(half_state, whole_state)


def test_a_state_of_other_lanes_is_refused(detector: rvt.RVT) -> None:
    with torch.no_grad():
        _, state = detector(torch.zeros(1, 3, 4, 64, 64))
    with pytest.raises(ValueError, match=r"remembers \[3\] lanes, but the batch has 2"):
        detector(torch.zeros(1, 2, 4, 64, 64), state)


@pytest.mark.parametrize("stages", [(0, 1), (3, 2), (2, 2), (1, 3)])
def test_stages_that_do_not_rise_from_one_are_refused(stages: tuple[int, ...]) -> None:
    with pytest.raises(ValidationError, match="neck_stages must count from 1 and leave none out"):
        rvt.Config(neck_stages=stages)


def test_stages_the_backbone_lacks_are_refused() -> None:
    with pytest.raises(ValueError, match="names stage 5, but the backbone has 4"):
        rvt.Config(neck_stages=(4, 5)).build(4, 3)


def test_stages_that_nothing_would_come_of_are_refused(config: rvt.Config) -> None:
    with pytest.raises(ValueError, match="ends with stage 3 of the backbone's 4"):
        config.model_copy(update={"neck_stages": (1, 2, 3)}).build(4, 3)


def test_all_stages_may_feed_the_neck(config: rvt.Config) -> None:
    detector = config.model_copy(update={"neck_stages": (1, 2, 3, 4)}).build(4, 3).eval()
    with torch.no_grad():
        predictions, _ = detector(torch.zeros(1, 1, 4, 64, 64))
    assert predictions.shape[2] == 16 * 16 + 8 * 8 + 4 * 4 + 2 * 2
