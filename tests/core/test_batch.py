from dataclasses import replace

import pytest
import torch
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets


def targets(*num_boxes: int) -> tuple[Targets, ...]:
    """Targets with as many boxes each, no two of them alike."""
    total = sum(num_boxes)
    boxes = torch.arange(4.0 * total).view(total, 4).split(list(num_boxes))
    class_ids = torch.arange(total).split(list(num_boxes))
    return tuple(Targets(*of_image) for of_image in zip(boxes, class_ids, strict=True))


def batch(*num_boxes: int) -> SequenceBatch:
    return SequenceBatch(
        frames=torch.ones(len(num_boxes), 1, 2, 3, 4, dtype=torch.uint8),
        starts=torch.tensor([True]),
        keyframes=torch.tensor([[t, 0] for t in range(len(num_boxes))]).view(-1, 2),
        targets=targets(*num_boxes),
        recordings=("a",),
        times_us=torch.zeros(len(num_boxes), 1, dtype=torch.int64),
    )


def tensors(of: SequenceBatch) -> list[Tensor]:
    parts = [of.frames, of.starts, of.keyframes]
    return parts + [part for t in of.targets for part in (t.boxes_xyxy, t.class_ids)]


@pytest.mark.parametrize("num_boxes", [(2, 0, 3), (0,), (0, 0), (1,)])
def test_every_image_keeps_its_targets_on_the_way(num_boxes: tuple[int, ...]) -> None:
    here, there = batch(*num_boxes), batch(*num_boxes).to("cpu")
    assert all(torch.equal(*pair) for pair in zip(tensors(here), tensors(there), strict=True))
    assert all(found.track_ids is None for found in there.targets)
    assert there.recordings == here.recordings
    assert there.times_us is not None


def test_tracks_travel_with_the_images_that_have_them() -> None:
    plain = batch(2, 1, 0, 3)
    tracks = (torch.tensor([8, 9]), None, torch.tensor([], dtype=torch.int64), torch.arange(3))
    tracked = tuple(
        replace(target, track_ids=ids) for target, ids in zip(plain.targets, tracks, strict=True)
    )
    moved = replace(plain, targets=tracked).to("cpu").targets
    for target, ids in zip(moved, tracks, strict=True):
        assert (target.track_ids is None) == (ids is None)
        if target.track_ids is not None and ids is not None:
            assert torch.equal(target.track_ids, ids)


def test_everything_a_detector_computes_with_goes_to_the_device() -> None:
    moved = batch(2, 0, 3).to("meta")
    assert {part.device.type for part in tensors(moved)} == {"meta"}
    assert [len(t.class_ids) for t in moved.targets] == [2, 0, 3]
    assert moved.times_us is not None
    assert moved.times_us.device.type == "cpu"


def test_a_batch_without_targets_moves_too() -> None:
    assert replace(batch(1), targets=()).to("meta").targets == ()


def test_keyframes_are_picked_from_channels_last_maps_as_they_are() -> None:
    features = torch.rand(3, 2, 4, 5, 7).movedim(-1, 2).requires_grad_()
    keyframes = torch.tensor([[2, 1], [0, 0]])
    picked = replace(batch(1), keyframes=keyframes).select_keyframes(features)
    assert torch.equal(picked, torch.stack([features[2, 1], features[0, 0]]))
    assert picked.is_contiguous(memory_format=torch.channels_last)
    (gradient,) = torch.autograd.grad(picked.sum(), features)
    assert gradient.stride() == features.stride()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_pinned_batches_hold_the_same() -> None:
    here = batch(2, 0, 3)
    pinned = here.pin_memory()
    assert pinned.frames.is_pinned()
    assert all(torch.equal(*pair) for pair in zip(tensors(here), tensors(pinned), strict=True))
