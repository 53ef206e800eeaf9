"""Clips as samples."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from torch.utils.data import DataLoader

from etram_pipeline.clips.augmentation import Augmentation, AugmentationSettings
from etram_pipeline.clips.collate import collate
from etram_pipeline.clips.dataset import ClipDataset, Sample
from etram_pipeline.clips.event_augmentation import EventAugmentationSettings
from etram_pipeline.clips.loading import ScheduleSampler
from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.clips.schedule import (
    Clip,
    Lanes,
    Sampling,
    SamplingSettings,
    Step,
    training_schedule,
)
from etram_pipeline.core.errors import StoreError
from etram_pipeline.events.settings import EncodingSettings
from etram_pipeline.labels.frames import LabelledFrames

AugmentationBySampling = dict[Sampling, AugmentationSettings]
MakeLabels = Callable[[list[list[tuple[float, ...]]]], LabelledFrames]


def clip(start: int, stop: int, sampling: str = "stream", draw: tuple[int, int] = (0, 0)) -> Clip:
    return Clip("train/a", start, stop, starts=True, sampling=sampling, draw=draw)  # type: ignore[arg-type]


def sample(dataset: ClipDataset, wanted: Clip) -> Sample:
    found = dataset[wanted]
    assert found is not None
    return found


def test_a_sample_holds_the_windows_of_its_clip(recording: RepresentationsInMemory) -> None:
    found = sample(ClipDataset({"train/a": recording}), clip(3, 8))
    np.testing.assert_array_equal(found.representations, recording.images[3:8])
    np.testing.assert_array_equal(found.times_us, recording.stop_us[3:8])


def test_keyframes_are_the_labelled_windows_of_the_clip(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    labels = labels_of([[(0, 0, 8, 8, 1)]] * len(recording.frame_windows))
    dataset = ClipDataset({"train/a": recording}, {"train/a": labels})
    assert recording.frame_windows.tolist() == [1, 3, 5, 7, 9, 11]
    found = sample(dataset, clip(3, 8))
    assert found.keyframes == (0, 2, 4)
    assert len(found.targets) == 3
    assert sample(dataset, clip(4, 5)).keyframes == ()


def test_every_window_is_a_keyframe_on_request(recording: RepresentationsInMemory) -> None:
    dataset = ClipDataset({"train/a": recording}, keyframes="all")
    assert sample(dataset, clip(3, 8)).keyframes == (0, 1, 2, 3, 4)


def test_boxes_are_scaled_cut_and_dropped_when_flat(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    """The representation is 64 x 48, the sensor twice as large."""
    boxes: list[tuple[float, ...]] = [
        (10.0, 20.0, 30.0, 40.0, 2),  # inside
        (100.0, 80.0, 60.0, 60.0, 1),  # beyond the right and the lower border
        (-20.0, 5.0, 20.0, 10.0, 0),  # ends at the left border
    ]
    labels = labels_of([[], boxes, [], [], [], []])
    dataset = ClipDataset({"train/a": recording}, {"train/a": labels})
    (first, second) = sample(dataset, clip(0, 5)).targets
    assert len(first.class_ids) == 0
    assert second.boxes_xyxy.tolist() == [[5, 10, 20, 30], [50, 40, 64, 48]]
    assert second.class_ids.tolist() == [2, 1]


def test_tracks_follow_their_boxes_into_the_batch(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    gone, left, right = (-20.0, 5.0, 20.0, 10.0, 0), (0, 0, 16, 16, 1), (112, 0, 16, 16, 2)
    labels = labels_of([[gone, left, right], [], [right, left], [left], [], []])
    labels.labels["track_id"] = [3, 9, 4, 4, 9, 9]
    flip: AugmentationBySampling = {
        "stream": AugmentationSettings(flip_probability=1, zoom_probability=0)
    }
    dataset = ClipDataset({"train/a": recording}, {"train/a": labels}, Augmentation(flip))
    batch = collate([sample(dataset, clip(0, 8))])
    found = [target.track_ids.tolist() for target in batch.targets if target.track_ids is not None]
    assert found == [[9, 4], [], [4, 9], [9]]
    assert batch.targets[0].boxes_xyxy[:, 0].tolist() == [56, 0]


def test_labels_that_give_every_box_the_same_track_have_none(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    labels = labels_of([[(0, 0, 16, 16, 1)] * 2] * 6)
    batch = collate([sample(ClipDataset({"train/a": recording}, {"train/a": labels}), clip(0, 8))])
    assert [target.track_ids for target in batch.targets] == [None] * 4


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.float32])
def test_representations_keep_their_type(dtype: type) -> None:
    frames = RepresentationsInMemory(np.ones((6, 2, 8, 8), dtype), np.arange(6), np.array([1, 3]))
    flip = Augmentation({"stream": AugmentationSettings(flip_probability=1)})
    assert (
        sample(ClipDataset({"train/a": frames}, None, flip), clip(0, 4)).representations.dtype
        == dtype
    )


def test_frames_and_boxes_are_seen_the_same_way(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    labels = labels_of([[(0, 0, 16, 16, 1)]] * 6)
    flip: AugmentationBySampling = {
        "stream": AugmentationSettings(flip_probability=1, zoom_probability=0)
    }
    dataset = ClipDataset({"train/a": recording}, {"train/a": labels}, Augmentation(flip))
    found = sample(dataset, clip(0, 2))
    np.testing.assert_array_equal(found.representations, recording.images[:2, ..., ::-1])
    assert found.targets[0].boxes_xyxy.tolist() == [[56, 0, 64, 8]]


def test_a_streamed_part_is_seen_one_way_and_the_next_pass_another(
    recording: RepresentationsInMemory,
) -> None:
    strong: AugmentationBySampling = {
        "stream": AugmentationSettings(zoom_probability=1, zoom_in_share=0, max_zoom_out=4)
    }
    augmentation = Augmentation(strong, seed=1)

    def view(start: int, draw: tuple[int, int]) -> object:
        return augmentation.view(clip(start, start + 5, draw=draw), 48, 64, None)

    assert view(0, (0, 7)) == view(5, (0, 7))
    assert view(0, (0, 7)) != view(0, (1, 7))
    assert view(0, (0, 7)) != view(0, (0, 8))
    assert view(0, (0, 7)) == Augmentation(strong, seed=1).view(
        clip(0, 5, draw=(0, 7)), 48, 64, None
    )
    assert view(0, (0, 7)) != Augmentation(strong, seed=2).view(
        clip(0, 5, draw=(0, 7)), 48, 64, None
    )
    assert recording.num_windows > 0


def test_recordings_read_whole_are_not_augmented(recording: RepresentationsInMemory) -> None:
    always = AugmentationSettings(flip_probability=1)
    dataset = ClipDataset(
        {"train/a": recording}, None, Augmentation({"stream": always, "random": always})
    )
    found = sample(dataset, clip(0, 5, sampling="whole"))
    np.testing.assert_array_equal(found.representations, recording.images[:5])


def test_a_frame_whose_boxes_all_left_remains_a_keyframe(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    labels = labels_of([[(120, 90, 6, 4, 1)]] * 6)
    zoom = AugmentationSettings(zoom_probability=1, zoom_in_share=1, max_zoom_in=8)
    dataset = ClipDataset(
        {"train/a": recording}, {"train/a": labels}, Augmentation({"stream": zoom})
    )
    samples = [sample(dataset, clip(0, 5, draw=(0, part))) for part in range(10)]
    assert any(len(s.targets[0].class_ids) == 0 for s in samples)
    assert all(s.keyframes == (1, 3) and len(s.targets) == 2 for s in samples)


@pytest.mark.parametrize(
    ("channels", "downsampled_by", "found"),
    [(6, 2, "train/b has 6 channels at 1/2"), (4, 1, "train/b has 4 channels at 1/1")],
)
def test_recordings_of_different_representations_are_refused(
    recording: RepresentationsInMemory, channels: int, downsampled_by: int, found: str
) -> None:
    images = np.zeros((3, channels, 48, 64), np.uint8)
    other = RepresentationsInMemory(images, np.arange(3), np.array([1]), downsampled_by)
    with pytest.raises(StoreError, match=f"train/a has 4 channels at .*{found}"):
        ClipDataset({"train/a": recording, "train/b": other})


def test_recordings_of_different_sizes_are_read_each_in_its_own(
    recording: RepresentationsInMemory,
) -> None:
    other = RepresentationsInMemory(
        np.zeros((3, 4, 24, 32), np.uint8), np.arange(3), np.array([1]), 2
    )
    dataset = ClipDataset({"train/a": recording, "train/b": other})
    assert sample(dataset, clip(0, 3)).representations.shape[1:] == (4, 48, 64)
    found = sample(dataset, Clip("train/b", 0, 3, starts=True, sampling="whole"))
    assert found.representations.shape == (3, 4, 24, 32)


def test_labels_made_for_other_windows_are_refused(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    labels = labels_of([[(0, 0, 8, 8, 1)]] * 5)
    with pytest.raises(StoreError, match=r"train/a has 5 labelled .* for 6; run `preprocess`"):
        ClipDataset({"train/a": recording}, {"train/a": labels})


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_follow_the_schedule_whatever_the_number_of_workers(
    recording: RepresentationsInMemory, workers: int
) -> None:
    windows = {"train/a": recording.frame_windows}

    def schedule() -> Iterator[Step]:
        return training_schedule(windows, SamplingSettings(), Lanes(3), 5, seed=0)

    sampler = ScheduleSampler(schedule, num_steps=12, first_step=4)
    dataset = ClipDataset({"train/a": recording})
    batches = list(
        DataLoader(dataset, batch_sampler=sampler, collate_fn=collate, num_workers=workers)
    )
    expected = [step for step, _ in zip(schedule(), range(12), strict=False)][4:]
    assert len(batches) == 8
    for batch, step in zip(batches, expected, strict=True):
        first_windows = [lane.start for lane in step if lane]
        assert batch.times_us[0].tolist() == recording.stop_us[first_windows].tolist()


def test_a_sampler_says_how_many_steps_there_are_in_all() -> None:
    sampler = ScheduleSampler(partial(iter, [(None,)] * 9), num_steps=9, first_step=2)
    assert len(sampler) == 9
    assert len(list(sampler)) == 7


def histograms(recording: RepresentationsInMemory) -> RepresentationsInMemory:
    """The same recording, said to hold two parts of each window for each polarity."""
    encoding = EncodingSettings.model_validate(
        {
            "windows": {"kind": "regular"},
            "representation": {"kind": "stacked_histogram", "bins": 2, "max_count": 10},
        }
    )
    return replace(recording, encoding=encoding)


def test_events_are_changed_alike_in_a_part_and_each_clip_by_itself(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    events = EventAugmentationSettings(suppression_probability=1, drop_probability=1)
    still = AugmentationSettings(flip_probability=0, zoom_probability=0, events=events)
    labels = labels_of([[(0, 0, 8, 8, 1)]] * 6)

    def frames(part: int, start: int, seed: int = 0) -> np.ndarray:
        augmentation = Augmentation({"stream": still}, seed)
        dataset = ClipDataset({"train/a": histograms(recording)}, {"train/a": labels}, augmentation)
        found = sample(dataset, clip(start, start + 4, draw=(0, part)))
        assert found.targets[0].boxes_xyxy.tolist() == [[0, 0, 4, 4]]
        return found.representations

    kept = [
        [np.flatnonzero(frames(part, start).sum((0, 2, 3))).tolist() for start in (0, 4)]
        for part in range(6)
    ]
    assert all(first == second for first, second in kept)
    assert {str(first) for first, _ in kept} == {"[0, 1]", "[2, 3]"}
    np.testing.assert_array_equal(frames(1, 0), frames(1, 0))
    assert (frames(1, 0) != frames(1, 0, seed=3)).any()


def test_clips_of_one_part_lose_different_events(recording: RepresentationsInMemory) -> None:
    twice = histograms(replace(recording, images=np.tile(recording.images[:4], (3, 1, 1, 1))))
    events = EventAugmentationSettings(drop_probability=1)
    still = AugmentationSettings(flip_probability=0, zoom_probability=0, events=events)
    dataset = ClipDataset({"train/a": twice}, None, Augmentation({"stream": still}))
    first, second = (sample(dataset, clip(start, start + 4)).representations for start in (0, 4))
    assert (first != second).any()


def test_flip_and_zoom_are_drawn_alike_with_and_without_changes_of_events() -> None:
    events = EventAugmentationSettings(drop_probability=1)
    with_events = Augmentation({"random": AugmentationSettings(events=events)}, 3)
    without = Augmentation({"random": AugmentationSettings()}, 3)
    for part in range(5):
        wanted = clip(0, 4, "random", (0, part))
        assert with_events.view(wanted, 48, 64, None) == without.view(wanted, 48, 64, None)


def test_events_of_unknown_representations_cannot_be_changed(
    recording: RepresentationsInMemory,
) -> None:
    events = EventAugmentationSettings(jitter_probability=0.5)
    active = Augmentation({"stream": AugmentationSettings(events=events)})
    with pytest.raises(StoreError, match="those of train/a are of unknown settings"):
        ClipDataset({"train/a": recording}, None, active)
