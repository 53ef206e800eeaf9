"""Masks of clips, which change exactly as their boxes do."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.clips.test_dataset import clip, sample
from tests.clips.test_detections import batch

from etram_pipeline.clips.augmentation import Augmentation, AugmentationSettings
from etram_pipeline.clips.collate import collate
from etram_pipeline.clips.dataset import ClipDataset, Sample
from etram_pipeline.clips.detections import DetectionCollector
from etram_pipeline.clips.ground_truth import WindowBoxes, boxes_in_view
from etram_pipeline.clips.masks import EncodedMasks
from etram_pipeline.clips.representations import RepresentationsInMemory
from etram_pipeline.clips.view import Rectangle, View
from etram_pipeline.core.batch import Detections
from etram_pipeline.core.mask_column import has_masks, with_masks
from etram_pipeline.core.run_lengths import decode_masks, encode_masks
from etram_pipeline.labels.frames import LabelledFrames

MakeLabels = Callable[[list[list[tuple[float, ...]]]], LabelledFrames]
HEIGHT, WIDTH = 96, 128
"""Size of the sensor; representations are half as large."""

BOXES: list[list[tuple[float, ...]]] = [
    [(10, 20, 30, 16, 1), (64, 40, 20, 30, 0)],
    [(200, 20, 8, 8, 1), (2, 4, 60, 70, 2)],
    [(0, 30, 24, 24, 0)],
    [(8, 30, 24, 24, 0)],
    [(16, 30, 24, 24, 0)],
    [(24, 30, 24, 24, 0)],
]
"""Boxes of each labelled frame in px of the sensor; the first of the second is outside."""


def filled(boxes: np.ndarray, height: int, width: int) -> np.ndarray:
    """Masks that fill boxes, given as corners."""
    masks = np.zeros((len(boxes), height, width), bool)
    for mask, (left, top, right, bottom) in zip(masks, boxes.round().astype(int), strict=True):
        mask[top:bottom, left:right] = True
    return masks


@pytest.fixture
def masked(labels_of: MakeLabels) -> LabelledFrames:
    """Labels whose masks fill their boxes."""
    labels = labels_of(BOXES)
    xywh = np.stack([labels.labels[side] for side in "xywh"], axis=1)
    corners = np.concatenate([xywh[:, :2], xywh[:, :2] + xywh[:, 2:]], axis=1)
    masks = encode_masks(filled(corners, HEIGHT, WIDTH))
    return replace(labels, labels=with_masks(labels.labels, masks))


def test_masks_are_in_px_of_the_representation(
    recording: RepresentationsInMemory, masked: LabelledFrames
) -> None:
    found = sample(ClipDataset({"train/a": recording}, {"train/a": masked}), clip(0, 4))
    first, second = found.targets
    assert first.masks is not None
    np.testing.assert_array_equal(first.masks, filled(first.boxes_xyxy, 48, 64))
    assert first.masks.sum(axis=(1, 2)).tolist() == [15 * 8, 10 * 15]
    # The box outside the image is left out together with its mask.
    assert second.masks is not None
    assert second.masks.sum(axis=(1, 2)).tolist() == [30 * 35]


def test_a_pixel_is_set_if_half_of_its_sensor_pixels_are() -> None:
    mask = np.zeros((1, 5, 7), bool)  # the last row and column have no pixel of their own
    mask[0, 0, 0] = mask[0, 0, 2] = mask[0, 1, 3] = mask[0, 4, 6] = True
    mask[0, 2:4, 4:6] = True
    encoded = EncodedMasks(tuple(encode_masks(mask)), 2, 3, downsampled_by=2)
    assert encoded.decode().astype(int).tolist() == [[[0, 1, 0], [0, 0, 1]]]


@pytest.mark.parametrize("factor", [1, 2])
def test_any_mask_is_decoded_as_its_blocks_say(factor: int) -> None:
    masks = np.random.default_rng(0).random((6, 37, 53)) < 0.5
    masks[0], masks[1] = False, True
    masks[2, :, :31] = False
    height, width = 37 // factor, 53 // factor
    blocks = masks[:, : height * factor, : width * factor]
    counts = blocks.reshape(6, height, factor, width, factor).sum((2, 4))
    decoded = EncodedMasks(tuple(encode_masks(masks)), height, width, factor).decode()
    np.testing.assert_array_equal(decoded, 2 * counts >= factor**2)


def test_labels_without_masks_give_targets_without_masks(
    recording: RepresentationsInMemory, labels_of: MakeLabels
) -> None:
    found = sample(ClipDataset({"train/a": recording}, {"train/a": labels_of(BOXES)}), clip(0, 4))
    assert [target.masks for target in found.targets] == [None, None]
    assert [target.masks for target in collate([found]).targets] == [None, None]


IMAGE = Rectangle(0, 0, 64, 48)
VIEWS = {
    "mirrored": View(IMAGE, IMAGE, IMAGE, mirrored=True),
    "zoomed in": View(IMAGE, Rectangle(8, 4, 32, 24), IMAGE),
    "zoomed out": View(IMAGE, IMAGE, Rectangle(10, 6, 32, 24)),
    "both": View(IMAGE, Rectangle(8, 4, 32, 24), IMAGE, mirrored=True),
}


@pytest.mark.parametrize("name", VIEWS)
def test_masks_are_seen_where_their_boxes_are(name: str) -> None:
    view = VIEWS[name]
    corners = np.array([[10, 8, 20, 18], [24, 12, 60, 40], [0, 0, 6, 4]], np.float32)
    seen = boxes_in_view(view, WindowBoxes(corners, np.arange(3), filled(corners, 48, 64)))
    assert seen.masks is not None
    assert len(seen.masks) == len(seen.class_ids)
    for mask, box in zip(seen.masks, seen.boxes_xyxy, strict=True):
        rows, columns = (np.flatnonzero(mask.any(axis=axis)) for axis in (1, 0))
        found = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        np.testing.assert_allclose(found, box, atol=1)
        assert mask.sum() == pytest.approx((box[2] - box[0]) * (box[3] - box[1]), rel=0.15)


def test_masks_change_as_the_pixels_of_the_clip_do(
    recording: RepresentationsInMemory, masked: LabelledFrames
) -> None:
    """A recording that shows the masks shows them after any augmentation, too."""
    images = np.zeros((12, 3, 48, 64), np.uint8)
    plain = ClipDataset({"train/a": recording}, {"train/a": masked})
    for window, target in zip((1, 3, 5, 7, 9, 11), sample(plain, clip(0, 12)).targets, strict=True):
        assert target.masks is not None
        for class_id, mask in zip(target.class_ids, target.masks, strict=True):
            images[window, class_id] |= mask
    shown = replace(recording, images=images)
    settings = AugmentationSettings(zoom_probability=1)
    dataset = ClipDataset(
        {"train/a": shown}, {"train/a": masked}, Augmentation({"stream": settings}, seed=1)
    )
    num_masks = 0
    for number in range(8):
        found = sample(dataset, clip(0, 12, draw=(0, number)))
        for window, target in zip(found.keyframes, found.targets, strict=True):
            assert target.masks is not None
            for class_id, mask in zip(target.class_ids, target.masks, strict=True):
                np.testing.assert_array_equal(found.representations[window, class_id] > 0, mask)
                num_masks += 1
    assert num_masks > 40


def test_a_batch_has_the_masks_of_its_keyframes(
    recording: RepresentationsInMemory, masked: LabelledFrames
) -> None:
    always = AugmentationSettings(flip_probability=1, zoom_probability=0)
    dataset = ClipDataset(
        {"train/a": recording}, {"train/a": masked}, Augmentation({"stream": always})
    )
    samples: list[Sample | None] = [sample(dataset, clip(0, 4)), None, sample(dataset, clip(4, 8))]
    made = collate(samples)
    assert made.keyframes.tolist() == [[1, 0], [1, 2], [3, 0], [3, 2]]
    for target in made.targets:
        assert target.masks is not None
        assert target.masks.dtype == torch.bool
        expected = filled(target.boxes_xyxy.numpy(), 48, 64)
        np.testing.assert_array_equal(target.masks.numpy(), expected)
    moved = made.to("cpu").targets[0]
    assert moved.masks is not None
    assert moved.masks.shape == (2, 48, 64)


def test_a_frame_without_objects_has_no_masks_but_their_size() -> None:
    empty = EncodedMasks((), 48, 64, 2).decode()
    assert empty.shape == (0, 48, 64)
    seen = boxes_in_view(
        VIEWS["both"], WindowBoxes(np.zeros((0, 4), np.float32), np.zeros(0, int), empty)
    )
    assert seen.masks is not None
    assert seen.masks.shape == (0, 48, 64)


def detections(*masks: np.ndarray) -> Detections:
    count = len(masks)
    return Detections(
        torch.ones(count, 4),
        torch.zeros(count, dtype=torch.int64),
        torch.full((count,), 0.5),
        masks=torch.from_numpy(np.stack(masks)) if masks else torch.zeros(0, 48, 64) > 0,
    )


def test_masks_of_detections_are_in_px_of_the_sensor() -> None:
    mask = np.random.default_rng(0).random((48, 64)) < 0.3
    collector = DetectionCollector({"test/a": 2})
    collector.add(
        batch([[50_000], [100_000]], [[0, 0], [1, 0]]), [detections(mask, ~mask), detections()]
    )
    table = collector.take("test/a")
    assert has_masks(table)
    decoded = decode_masks(table["mask"].tolist(), 96, 128)
    np.testing.assert_array_equal(decoded[0], mask.repeat(2, axis=0).repeat(2, axis=1))
    np.testing.assert_array_equal(decoded[1], ~decoded[0])
    assert not has_masks(collector.take("test/a"))
