"""Samples as batches."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset
from typing_extensions import override

from etram_pipeline.clips.collate import collate
from etram_pipeline.clips.dataset import Sample
from etram_pipeline.clips.ground_truth import WindowBoxes
from etram_pipeline.clips.schedule import Clip


def sample(
    name: str, num_windows: int, keyframes: tuple[int, ...], *, starts: bool = False
) -> Sample:
    """Windows whose pixels and boxes tell where they come from."""
    mark = ord(name)
    frames = np.full((num_windows, 2, 4, 4), mark, np.uint8)
    targets = tuple(
        WindowBoxes(np.array([[0, 0, mark, 1 + t]], np.float32), np.array([t])) for t in keyframes
    )
    clip = Clip(name, 0, num_windows, starts=starts, sampling="stream")
    return Sample(frames, clip, np.arange(num_windows) + 1000 * mark, keyframes, targets)


def test_keyframes_are_in_order_of_time_then_lane_with_their_targets() -> None:
    batch = collate([sample("a", 3, (0, 2)), sample("b", 3, (0, 1, 2))])
    assert batch.keyframes.tolist() == [[0, 0], [0, 1], [1, 1], [2, 0], [2, 1]]
    seen = [(target.boxes_xyxy[0, 2].item(), target.class_ids.item()) for target in batch.targets]
    assert seen == [(97, 0), (98, 0), (98, 1), (97, 2), (98, 2)]


def test_short_clips_and_empty_lanes_are_zeros_without_a_time() -> None:
    batch = collate([sample("a", 2, (1,), starts=True), None, sample("b", 4, ())])
    assert batch.frames.shape == (4, 3, 2, 4, 4)
    assert batch.frames.dtype == torch.uint8
    assert batch.frames[:, :, 0, 0, 0].T.tolist() == [[97, 97, 0, 0], [0] * 4, [98] * 4]
    assert batch.times_us is not None
    assert batch.times_us[:, 0].tolist() == [97_000, 97_001, -1, -1]
    assert batch.times_us[:, 1].tolist() == [-1] * 4
    assert batch.starts.tolist() == [True, False, False]
    assert batch.recordings == ("a", "", "b")


def test_a_batch_without_keyframes_keeps_its_shape() -> None:
    batch = collate([sample("a", 2, ())])
    assert batch.keyframes.shape == (0, 2)
    assert batch.targets == ()


def test_samples_without_ground_truth_make_a_batch_without_targets() -> None:
    bare = sample("a", 3, (0, 2))
    batch = collate([Sample(bare.representations, bare.clip, bare.times_us, bare.keyframes)])
    assert batch.keyframes.tolist() == [[0, 0], [2, 0]]
    assert batch.targets == ()


def test_a_batch_of_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match="every lane of the batch is empty"):
        collate([None, None])


class Samples(Dataset["Sample | None"]):
    """A short clip, an empty lane and a long clip, again and again."""

    @override
    def __getitem__(self, lane: int) -> Sample | None:
        return [sample("a", 2, (1,)), None, sample("b", 4, ())][lane]


@pytest.mark.parametrize("workers", [0, 1])
def test_batches_of_workers_lie_in_shared_memory_and_are_the_same(workers: int) -> None:
    loader = DataLoader(
        Samples(), batch_sampler=[[0, 1, 2]] * 3, collate_fn=collate, num_workers=workers
    )
    for batch in loader:
        assert batch.frames.is_shared() == bool(workers)
        assert batch.frames[:, :, 0, 0, 0].T.tolist() == [[97, 97, 0, 0], [0] * 4, [98] * 4]
        assert batch.frames.is_contiguous()


def test_mirrored_frames_are_taken_as_they_look() -> None:
    """A view of an array from right to left, which PyTorch does not know."""
    frames = np.arange(32, dtype=np.int8).reshape(2, 1, 4, 4)
    mirrored = replace(sample("a", 2, ()), representations=frames[..., ::-1])
    batch = collate([mirrored])
    assert batch.frames.dtype == torch.int8
    np.testing.assert_array_equal(batch.frames[:, 0].numpy(), frames[..., ::-1])
