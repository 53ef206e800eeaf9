from dataclasses import replace

import pytest
import torch
from tests.models.conftest import Build, MakeBatch

from etram_pipeline.core.batch import Targets
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.resizing import resize_boxes, resize_frames, resize_targets

EVERYTHING = SuppressionSettings(score_threshold=0, iou_threshold=1, max_detections=10_000)


def test_frames_of_the_right_size_stay_as_they_are() -> None:
    frames = torch.randint(0, 10, (2, 1, 3, 8, 12), dtype=torch.uint8)
    assert resize_frames(frames, 8, 12) is frames


def test_halving_averages_four_by_four_pixels_with_triangular_weights() -> None:
    frames = torch.zeros(1, 1, 1, 8, 8)
    frames[..., 3, 3] = 1
    halved = resize_frames(frames, 4, 4)[0, 0, 0]
    weights = torch.tensor([0.125, 0.375, 0.375, 0.125])  # a triangle of four pixels' width
    expected = torch.zeros(4, 4)
    for row in range(4):
        for column in range(4):
            taps = [3 - (2 * place - 1) for place in (row, column)]
            if all(0 <= tap < 4 for tap in taps):
                expected[row, column] = weights[taps[0]] * weights[taps[1]]
    torch.testing.assert_close(halved, expected)


def test_no_event_is_lost_between_the_pixels_that_are_left() -> None:
    frames = torch.zeros(1, 1, 1, 12, 16, dtype=torch.uint8)
    for row in range(12):
        for column in range(16):
            frames.zero_()
            frames[..., row, column] = 10
            assert resize_frames(frames, 9, 12).sum() > 0


def test_boxes_keep_their_share_of_the_image() -> None:
    box, track_ids = torch.tensor([[10.0, 20.0, 30.0, 60.0]]), torch.tensor([4])
    target = Targets(box, torch.tensor([1]), track_ids=track_ids)
    (resized,) = resize_targets((target,), (100, 200), (50, 400))
    assert resized.boxes_xyxy.tolist() == [[20.0, 10.0, 60.0, 30.0]]
    assert resized.class_ids is target.class_ids
    assert resized.masks is None
    assert resized.track_ids is track_ids
    centred = resize_boxes(torch.tensor([[20.0, 40.0, 20.0, 40.0]]), (100, 200), (50, 400))
    assert centred.tolist() == [[40.0, 20.0, 40.0, 20.0]]


def test_masks_are_resized_with_their_boxes() -> None:
    masks = torch.zeros(2, 100, 200, dtype=torch.bool)
    masks[0, 20:60, 10:30] = True
    boxes = torch.tensor([[10.0, 20.0, 30.0, 60.0], [0.0, 0.0, 4.0, 4.0]])
    target = Targets(boxes, torch.tensor([1, 0]), masks)
    (resized,) = resize_targets((target,), (100, 200), (50, 400))
    expected = torch.zeros(2, 50, 400, dtype=torch.bool)
    expected[0, 10:30, 20:60] = True
    assert resized.masks is not None
    assert torch.equal(resized.masks, expected)
    (same,) = resize_targets((target,), (100, 200), (100, 200))
    assert same.masks is masks


@pytest.fixture
def resizing_config(config: rvt.Config) -> rvt.Config:
    return config.model_copy(update={"input_size": (96, 160)})


def test_a_detector_that_resizes_sees_what_another_sees_of_resized_frames(
    config: rvt.Config, resizing_config: rvt.Config, build: Build, make_batch: MakeBatch
) -> None:
    plain, resizing = build(config).train(), build(resizing_config).train()
    resizing.load_state_dict(plain.state_dict())
    batch = make_batch(height=48, width=64)
    target = Targets(
        batch.targets[0].boxes_xyxy * torch.tensor([2.5, 2.0, 2.5, 2.0]), batch.targets[0].class_ids
    )
    enlarged = replace(
        batch, frames=resize_frames(batch.frames, 96, 160), targets=(target,) * len(batch.targets)
    )
    found, state = resizing.losses(batch, ())
    expected, expected_state = plain.losses(enlarged, ())
    for name, loss in expected.items():
        torch.testing.assert_close(found[name], loss)
    for memory, other in zip(state, expected_state, strict=True):
        torch.testing.assert_close(memory, other)


def test_detections_and_predictions_are_in_px_of_the_frames(
    config: rvt.Config, resizing_config: rvt.Config, build: Build, make_batch: MakeBatch
) -> None:
    plain, resizing = build(config).eval(), build(resizing_config).eval()
    resizing.load_state_dict(plain.state_dict())
    batch = make_batch(height=48, width=64)
    enlarged = replace(batch, frames=resize_frames(batch.frames, 96, 160))
    ratios = torch.tensor([2.5, 2.0])
    with torch.no_grad():
        boxes, others = resizing(batch.frames)[0], plain(enlarged.frames)[0]
        torch.testing.assert_close(boxes[..., :2] * ratios, others[..., :2])
        torch.testing.assert_close(boxes[..., 2:4] * ratios, others[..., 2:4])
        torch.testing.assert_close(boxes[..., 4:], others[..., 4:])
        detections, _ = resizing.detect(batch, (), EVERYTHING)
    for found in detections:
        assert len(found.scores) > 0
        assert bool((found.boxes_xyxy <= torch.tensor([64.0, 48.0, 64.0, 48.0])).all())


@pytest.mark.parametrize("size", [(0, 64), (64, -1), (64,)])
def test_a_size_must_be_two_positive_numbers(size: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="input_size"):
        rvt.Config.model_validate({"input_size": size})
