import math
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from torch import distributed

from etram_pipeline.core.batch import SequenceBatch, Targets
from etram_pipeline.models.assignment import AssignedAnchors, PaddedTargets
from etram_pipeline.models.detectors import rvt
from etram_pipeline.models.losses import yolox
from etram_pipeline.models.predictions import AnchorGrid, Predictions
from etram_pipeline.models.size_weights.adaptive import AdaptiveSizeWeight, Config

LIMITS = {"small_area": 200.0, "medium_area": 900.0}
SIDES = (10.0, 20.0, 40.0)
"""Of a small, a medium and a large object."""


def make_batch(seed: int, num_images: int = 3) -> AssignedAnchors:
    """Predictions near objects of all sizes, some of them good; each object has two anchors."""
    generator = torch.Generator().manual_seed(seed)
    targets = []
    for index in range(num_images):
        number = (seed + index) % 4
        sides = torch.tensor(SIDES)[torch.randint(3, (number,), generator=generator)]
        corners = torch.rand(number, 2, generator=generator) * 50
        boxes = torch.cat([corners, corners + sides[:, None]], dim=1)
        targets.append(Targets(boxes, torch.randint(2, (number,), generator=generator)))
    padded = PaddedTargets.pad(tuple(targets), torch.float32)
    image, target = padded.is_present.nonzero().repeat(2, 1).unbind(1)
    anchor = torch.arange(len(image))
    boxes = torch.full((num_images, len(image), 4), 5.0)
    near = padded.boxes_cxcywh[image, target]
    boxes[image, anchor] = near + torch.randn(len(image), 4, generator=generator) * near[:, 2:3] / 8
    predictions = Predictions(
        boxes_cxcywh=boxes,
        objectness_logits=torch.randn(boxes.shape[:2], generator=generator),
        class_logits=torch.randn(*boxes.shape[:2], 2, generator=generator),
        anchors=AnchorGrid.over([(1, len(image))], [8], like=boxes),
    )
    ious = torch.tensor(
        [
            overlap(box, its)
            for box, its in zip(boxes[image, anchor].tolist(), near.tolist(), strict=True)
        ]
    )
    return AssignedAnchors(predictions, padded, image, anchor, target, ious)


def overlap(one: list[float], other: list[float]) -> float:
    """Intersection over union of two boxes, given by centre and size."""
    shared = 1.0
    for axis in (0, 1):
        low = max(box[axis] - box[axis + 2] / 2 for box in (one, other))
        high = min(box[axis] + box[axis + 2] / 2 for box in (one, other))
        shared *= max(0.0, high - low)
    return shared / (one[2] * one[3] + other[2] * other[3] - shared)


def found_and_seen(batch: AssignedAnchors, config: Config) -> list[tuple[int, int]]:
    """Objects found and seen of each size, one object and one of its anchors after the other."""
    counts = [(0, 0)] * 3
    for image, target in batch.targets.is_present.nonzero().tolist():
        width, height = batch.targets.boxes_cxcywh[image, target, 2:].tolist()
        size = sum(width * height > limit for limit in (config.small_area, config.medium_area))
        is_found = False
        for place in range(len(batch.image)):
            if (batch.image[place], batch.target[place]) != (image, target):
                continue
            anchor = batch.anchor[place]
            logits = batch.predictions.class_logits[image, anchor].tolist()
            objectness = batch.predictions.objectness_logits[image, anchor].item()
            score = 1 / (1 + math.exp(-objectness)) / (1 + math.exp(-max(logits)))
            is_found |= (
                batch.ious[place].item() >= config.min_iou
                and logits.index(max(logits)) == int(batch.targets.class_ids[image, target])
                and score >= config.min_score
            )
        counts[size] = counts[size][0] + is_found, counts[size][1] + 1
    return counts


@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.98])
def test_recalls_and_factors_follow_what_was_found_lately(momentum: float) -> None:
    config = Config(maximum=3, momentum=momentum, min_score=0.2, **LIMITS)
    rule, areas = config.build().train(), torch.tensor(SIDES) ** 2
    found, seen, recalls = [0.0] * 3, [0.0] * 3, [0.0] * 3
    for seed in range(8):
        factors = [
            1 + 2 * (max(recalls) - recall) if num_seen else 1
            for recall, num_seen in zip(recalls, seen, strict=True)
        ]
        assert rule(areas).tolist() == pytest.approx(factors)
        batch = make_batch(seed)
        logged = rule.follow(batch)
        for size, (num_found, num_seen) in enumerate(found_and_seen(batch, config)):
            if num_seen:
                found[size] = momentum * found[size] + num_found
                seen[size] = momentum * seen[size] + num_seen
                recalls[size] = found[size] / seen[size]
        assert [recall.item() for recall in logged.values()] == pytest.approx(recalls)
    assert len(set(recalls)) == 3


def with_recalls(recalls: list[float], maximum: float) -> AdaptiveSizeWeight:
    rule = Config(maximum=maximum, **LIMITS).build()
    rule.num_found.copy_(torch.tensor(recalls) * 8)
    rule.num_seen.fill_(8)
    return rule


RECALLS = st.lists(st.floats(0, 1, width=32), min_size=3, max_size=3)


@given(RECALLS, st.floats(1, 10))
def test_factors_are_bounded_and_rise_as_recalls_fall(recalls: list[float], most: float) -> None:
    factors = with_recalls(recalls, most)(torch.tensor(SIDES) ** 2).tolist()
    assert all(1 <= factor <= most * (1 + 1e-6) for factor in factors)
    assert factors[recalls.index(max(recalls))] == 1
    for recall, factor in zip(recalls, factors, strict=True):
        assert all(
            factor >= of_other
            for other, of_other in zip(recalls, factors, strict=True)
            if recall <= other
        )


def test_a_size_that_is_never_found_weighs_the_maximum_beside_one_always_found() -> None:
    factors = with_recalls([0, 0.5, 1], 4)(torch.tensor([200.0, 200.5, 900.0, 901.0]))
    assert factors.tolist() == [4, 2.5, 2.5, 1]


def test_a_size_without_objects_weighs_one_and_a_pause_leaves_its_recall_alone() -> None:
    rule = with_recalls([0.25, 1, 1], 3)
    nothing = make_batch(0, num_images=1)
    assert not nothing.targets.is_present.any()
    rule.train().follow(nothing)
    assert rule.recall.tolist() == [0.25, 1, 1]
    rule.num_seen[0] = rule.num_found[0] = 0
    assert rule(torch.tensor(SIDES) ** 2).tolist() == [1, 1, 1]


def test_only_training_counts() -> None:
    rule = Config(**LIMITS).build()
    rule.eval().follow(make_batch(1))
    with torch.no_grad():
        rule.train().follow(make_batch(1))
    assert rule.num_seen.sum() == 0
    rule.follow(make_batch(1))
    assert rule.num_seen.sum() > 0


def test_thresholds_in_the_wrong_order_are_refused() -> None:
    with pytest.raises(ValidationError, match=r"medium_area 9.0 must not be below small_area 10.0"):
        Config(small_area=10, medium_area=9)


def test_without_keyframes_the_recalls_that_are_logged_stay(
    config: rvt.Config, make_batch: Callable[..., SequenceBatch]
) -> None:
    rule = Config(small_area=600, min_iou=0.01, min_score=0)
    loss = yolox.Config(size_weight=rule)
    detector = config.model_copy(update={"loss": loss}).build(4, 3).train()
    before, _ = detector.losses(make_batch(), ())
    after, _ = detector.losses(make_batch(keyframes=()), ())
    recalls = {name: value for name, value in before.items() if name.startswith("running_")}
    assert len(recalls) == 3
    assert any(recalls.values())
    assert {name: after[name] for name in recalls} == recalls


def run_rank(rank: int, folder: Path) -> None:
    """Each process sees other batches."""
    torch.set_num_threads(1)
    distributed.init_process_group(
        "gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2
    )
    rule = Config(**LIMITS).build().train()
    rule.follow(make_batch(rank))
    torch.save(rule.state_dict(), folder / f"{rank}.pt")


def test_processes_add_up_what_they_found(tmp_path: Path) -> None:
    fork = get_context("fork")  # so that nothing has to be imported again
    processes = [fork.Process(target=run_rank, args=(rank, tmp_path)) for rank in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(100)
        process.kill()
    assert [process.exitcode for process in processes] == [0, 0]
    alone = Config(momentum=0, **LIMITS).build().train()
    counts = torch.zeros(2, 3)
    for rank in range(2):
        counts += torch.tensor(found_and_seen(make_batch(rank), alone.config)).T
    for rank in range(2):
        held = torch.load(tmp_path / f"{rank}.pt")
        assert torch.equal(torch.stack([held["num_found"], held["num_seen"]]), counts)
    assert counts[0].sum() > 0
