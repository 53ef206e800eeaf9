from collections.abc import Callable
from typing import get_args

import numpy as np
import pytest
import torch
from tests.models.conftest import NUM_CHANNELS, NUM_CLASSES
from tests.models.overfit import ap50
from torch import Tensor

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.core.boxes import xyxy_to_xywh
from etram_pipeline.core.component import kinds
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.labels.table import LABEL_DTYPE, LabelTable
from etram_pipeline.models.detector import total_loss
from etram_pipeline.models.detectors import yolox

MakeBatch = Callable[..., SequenceBatch]

EVERYTHING = SuppressionSettings(score_threshold=0, iou_threshold=1)
NAMES = ("car", "tram", "bus")
INTERVAL_US = 50_000


def boxes_of(seed: int) -> tuple[Tensor, Tensor]:
    """Two boxes beside each other, of different classes."""
    rng = np.random.default_rng(seed)
    left_top = rng.integers(2, 14, (2, 2)) + np.array([[0, 0], [48, 0]])
    corners = np.concatenate([left_top, left_top + rng.integers(16, 32, (2, 2))], axis=1)
    return torch.tensor(corners, dtype=torch.float32), torch.tensor([seed % 3, (seed + 1) % 3])


def frames_with_objects(number: int) -> SequenceBatch:
    """One window per lane; objects of each class have events in a channel of their own."""
    frames = torch.zeros(1, number, NUM_CHANNELS, 64, 96, dtype=torch.uint8)
    targets = tuple(Targets(*boxes_of(seed)) for seed in range(number))
    for lane, target in enumerate(targets):
        corners = target.boxes_xyxy.int().tolist()
        for (x1, y1, x2, y2), class_id in zip(corners, target.class_ids, strict=True):
            frames[0, lane, class_id, y1:y2, x1:x2] = 5
    return SequenceBatch(
        frames=frames,
        starts=torch.ones(number, dtype=torch.bool),
        keyframes=torch.tensor([[0, lane] for lane in range(number)]),
        targets=targets,
        recordings=tuple(f"r{lane}" for lane in range(number)),
        times_us=torch.full((1, number), INTERVAL_US * 20),
    )


def labels_of(batch: SequenceBatch) -> dict[str, LabelTable]:
    tables = {}
    for name, target in zip(batch.recordings, batch.targets, strict=True):
        table = np.zeros(len(target.class_ids), LABEL_DTYPE)
        table["t"], table["class_id"] = INTERVAL_US * 20, target.class_ids.numpy()
        for column, values in zip("xywh", xyxy_to_xywh(target.boxes_xyxy.numpy()).T, strict=True):
            table[column] = values
        tables[name] = table
    return tables


def small(**changes: object) -> yolox.Config:
    return yolox.Config.model_validate({"backbone": "lcnet_050"} | changes)


def test_a_few_frames_are_learnt_by_heart() -> None:
    batch = frames_with_objects(4)
    detector = small().build(NUM_CHANNELS, NUM_CLASSES).train()
    optimizer = torch.optim.AdamW(detector.parameters(), lr=3e-3)
    for _ in range(90):
        optimizer.zero_grad()
        losses, _ = detector.losses(batch, ())
        (losses["iou"] + losses["objectness"] + losses["class"]).backward()
        optimizer.step()
    assert ap50(detector, batch, labels_of(batch), NAMES) > 0.9


@pytest.mark.parametrize("backbone", get_args(yolox.TimmName))
def test_backbones_have_maps_of_the_strides_that_the_neck_merges(backbone: str) -> None:
    config = yolox.Config.model_validate({"backbone": backbone})
    with torch.device("meta"):
        detector = config.build(NUM_CHANNELS, NUM_CLASSES)
        maps = detector.backbone(torch.zeros(1, NUM_CHANNELS, 64, 96))
    assert [each.shape[-2:] for each in maps] == [(64 // s, 96 // s) for s in yolox.STRIDES]
    assert tuple(each.shape[1] for each in maps) == detector.neck.channels


@pytest.mark.parametrize("kind", kinds("etram_pipeline.models.necks"))
def test_every_neck_merges_maps_and_reads_undivided_counts_in_the_size_that_is_seen(
    kind: str, make_batch: MakeBatch
) -> None:
    batch = make_batch(height=60, width=90)
    detector = small(neck={"kind": kind}, count_scale=2.0).build(NUM_CHANNELS, NUM_CLASSES)
    seen: list[Tensor | None] = []
    detector.neck.register_forward_pre_hook(lambda _, given: seen.append(given[1]))
    losses, _ = detector.losses(batch, ())
    total_loss(losses).backward()
    assert all(weight.grad is not None for weight in detector.parameters())
    padded = torch.zeros(2, NUM_CHANNELS, 64, 96)
    padded[..., :60, :90] = batch.select_keyframes(batch.frames)
    (found,) = seen
    assert (found is not None) == detector.neck.reads_frames
    assert found is None or torch.equal(found, padded)


def test_windows_that_are_no_keyframes_do_not_count(make_batch: MakeBatch) -> None:
    detector, batch = small().build(NUM_CHANNELS, NUM_CLASSES).eval(), make_batch()
    altered = batch.frames.clone()
    altered[0, 1] = altered[1, 0] = 99
    with torch.no_grad():
        found, _ = detector.detect(batch, (), EVERYTHING)
        batch.frames.copy_(altered)
        expected, _ = detector.detect(batch, (), EVERYTHING)
    for ours, theirs in zip(found, expected, strict=True):
        assert torch.equal(ours.scores, theirs.scores)


def test_counts_are_divided_before_they_are_seen(make_batch: MakeBatch) -> None:
    batch = make_batch()
    plain = small().build(NUM_CHANNELS, NUM_CLASSES).eval()
    scaled = small(count_scale=4.0).build(NUM_CHANNELS, NUM_CLASSES).eval()
    scaled.load_state_dict(plain.state_dict())
    with torch.no_grad():
        found, _ = scaled.detect(batch, (), EVERYTHING)
        batch.frames.div_(4, rounding_mode="floor").mul_(4)
        coarse, _ = scaled.detect(batch, (), EVERYTHING)
        batch.frames.div_(4, rounding_mode="floor")
        expected, _ = plain.detect(batch, (), EVERYTHING)
    assert not torch.equal(found[0].scores, expected[0].scores)
    assert torch.equal(coarse[0].scores, expected[0].scores)


def test_boxes_come_out_in_px_of_the_frames(make_batch: MakeBatch) -> None:
    batch = make_batch(height=60, width=90)
    plain = small().build(NUM_CHANNELS, NUM_CLASSES).eval()
    doubled = small(input_size=(120, 180)).build(NUM_CHANNELS, NUM_CLASSES).eval()
    doubled.load_state_dict(plain.state_dict())
    seen: list[tuple[int, ...]] = []
    doubled.backbone.register_forward_pre_hook(lambda _, given: seen.append(given[0].shape))
    with torch.no_grad():
        found, _ = doubled.detect(batch, (), EVERYTHING)
    assert seen == [(2, NUM_CHANNELS, 128, 192)]
    for each in found:
        assert each.boxes_xyxy[:, 0::2].max() > 80
        assert (each.boxes_xyxy <= torch.tensor([90, 60, 90, 60])).all()


def test_necks_read_events_whatever_counts_are_divided_by(make_batch: MakeBatch) -> None:
    batch = make_batch()
    detector = small(count_scale=250.0, neck={"kind": "event_density"}).build(
        NUM_CHANNELS, NUM_CLASSES
    )
    read: list[Tensor] = []
    detector.neck.register_forward_pre_hook(lambda _, given: read.append(given[1]))
    detector.losses(batch, ())
    frames = batch.select_keyframes(batch.frames)
    height, width = frames.shape[-2:]
    assert torch.equal(read[0][..., :height, :width], frames)
