"""Suppression without PyTorch equals that of the detectors."""

import time

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from tests.exported import describe
from torch import Tensor

from etram_pipeline.core.batch import Detections
from etram_pipeline.labels.suppression import SuppressionSettings
from etram_pipeline.models.boxes import cxcywh_to_xyxy
from etram_pipeline.models.detectors import rf_detr, rtdetr
from etram_pipeline.models.postprocess import keep_visible, suppress
from etram_pipeline.models.rf_detr.outputs import LayerOutput
from etram_pipeline.streaming.description import Selection
from etram_pipeline.streaming.selection import Found, RawPredictions, select

HEIGHT, WIDTH = 32, 64

SUPPRESSIONS = st.builds(
    SuppressionSettings,
    score_threshold=st.sampled_from([0.0, 0.001, 0.1, 0.25, 0.3]),
    iou_threshold=st.sampled_from([0.3, 0.45, 0.5, 0.65, 1.0]),
    max_detections=st.sampled_from([1, 5, 300]),
    class_agnostic=st.booleans(),
)


def predictions(count: int, num_classes: int, seed: int, *, steps: int) -> Tensor:
    """Centres, sizes, objectness and class scores of anchors, some of them outside the frame.

    Args:
        count: Number of anchors.
        num_classes: Number of classes.
        seed: Of the random numbers.
        steps: Values of each score and place; few let scores and overlaps be equal.
    """
    random = torch.Generator().manual_seed(seed)
    numbers = torch.rand(count, 5 + num_classes, generator=random)
    numbers = (numbers * steps).round() / steps
    scale = torch.tensor([WIDTH * 1.2, HEIGHT * 1.2, 20, 12] + [1] * (1 + num_classes))
    return numbers * scale - torch.tensor([6, 3, 0, 0] + [0] * (1 + num_classes))


def raw_of(rows: Tensor) -> RawPredictions:
    return RawPredictions(
        cxcywh_to_xyxy(rows[None, :, :4]).numpy(),
        rows[None, :, 4:5].numpy(),
        rows[None, :, 5:].numpy(),
    )


def selected(raw: RawPredictions, selection: Selection, settings: SuppressionSettings) -> Found:
    about = describe(HEIGHT, WIDTH, selection=selection)
    [found] = select(raw, about, settings)
    return found


def assert_equal(found: Found, expected: Detections) -> None:
    np.testing.assert_array_equal(found.boxes_xyxy, expected.boxes_xyxy.numpy())
    np.testing.assert_array_equal(found.class_ids, expected.class_ids.numpy())
    np.testing.assert_array_equal(found.scores, expected.scores.numpy())
    if expected.objectness is not None and expected.class_scores is not None:
        np.testing.assert_array_equal(found.objectness, expected.objectness.numpy())
        np.testing.assert_array_equal(found.class_scores, expected.class_scores.numpy())


def compare(rows: Tensor, settings: SuppressionSettings) -> Found:
    [every] = suppress(rows[None], settings)
    expected = keep_visible(every, HEIGHT, WIDTH, settings.max_detections)
    found = selected(raw_of(rows), "suppression", settings)
    assert_equal(found, expected)
    return found


@given(
    count=st.integers(0, 80),
    num_classes=st.integers(1, 4),
    seed=st.integers(0, 2**31),
    steps=st.sampled_from([4, 10, 100, 2**20]),
    settings=SUPPRESSIONS,
)
def test_boxes_are_those_of_the_detectors(
    count: int, num_classes: int, seed: int, steps: int, settings: SuppressionSettings
) -> None:
    compare(predictions(count, num_classes, seed, steps=steps), settings)


@pytest.mark.parametrize("count", [999, 1000, 1001, 2500])
@pytest.mark.parametrize("class_agnostic", [False, True])
def test_many_boxes_are_suppressed_class_by_class(count: int, *, class_agnostic: bool) -> None:
    settings = SuppressionSettings(score_threshold=0, class_agnostic=class_agnostic)
    found = compare(predictions(count, 3, seed=count, steps=2**20), settings)
    assert len(found.scores) > 20


@given(seed=st.integers(0, 2**31), steps=st.sampled_from([4, 50, 2**20]), settings=SUPPRESSIONS)
def test_the_best_pairs_are_those_of_rf_detr(
    seed: int, steps: int, settings: SuppressionSettings
) -> None:
    rows, logits = _queries(seed, steps)
    layer = LayerOutput(logits=logits[None], boxes=rows[None], masks=None)
    every = rf_detr._detect(layer, 0, (HEIGHT, WIDTH), settings)
    expected = keep_visible(every, HEIGHT, WIDTH, settings.max_detections)
    assert_equal(selected(_raw_of_queries(rows, logits), "best", settings), expected)


@given(seed=st.integers(0, 2**31), steps=st.sampled_from([4, 50, 2**20]), settings=SUPPRESSIONS)
def test_the_best_pairs_of_as_many_as_queries_are_those_of_rt_detr(
    seed: int, steps: int, settings: SuppressionSettings
) -> None:
    rows, logits = _queries(seed, steps)
    raw = _raw_of_queries(rows, logits)
    every = rtdetr._best(
        torch.from_numpy(raw.boxes_xyxy[0]), logits.sigmoid(), settings.score_threshold
    )
    expected = keep_visible(every, HEIGHT, WIDTH, settings.max_detections)
    found = selected(raw, "best_of_queries", settings)
    assert_equal(found, expected)


def _queries(seed: int, steps: int) -> tuple[Tensor, Tensor]:
    """Boxes as shares of the frame, and logits."""
    numbers = torch.rand(30, 7, generator=torch.Generator().manual_seed(seed))
    numbers = (numbers * steps).round() / steps
    return numbers[:, :4], numbers[:, 4:] * 8 - 5


def _raw_of_queries(rows: Tensor, logits: Tensor) -> RawPredictions:
    scale = torch.tensor([WIDTH, HEIGHT, WIDTH, HEIGHT])
    boxes = cxcywh_to_xyxy(rows) * scale
    ones = np.ones((1, len(rows), 1), np.float32)
    return RawPredictions(boxes[None].numpy(), ones, logits.sigmoid()[None].numpy())


def test_the_threshold_is_compared_in_single_precision() -> None:
    score = torch.tensor(0.1) * torch.tensor(0.3)
    row = torch.tensor([[20.0, 20.0, 8.0, 8.0, 0.1, 0.3]])
    at = SuppressionSettings(score_threshold=score.item())
    above = SuppressionSettings(score_threshold=float(np.nextafter(np.float32(score), 1)))
    assert len(compare(row, at).scores) == 1
    assert len(compare(row, above).scores) == 0


def test_every_lane_is_judged_alone() -> None:
    one, other = (predictions(40, 3, seed, steps=100) for seed in (1, 2))
    both = RawPredictions(
        *(np.concatenate(parts) for parts in zip(*map(_parts, (one, other)), strict=True))
    )
    settings = SuppressionSettings()
    first, second = select(both, describe(HEIGHT, WIDTH), settings)
    np.testing.assert_array_equal(first.scores, compare(one, settings).scores)
    np.testing.assert_array_equal(second.scores, compare(other, settings).scores)


def _parts(rows: Tensor) -> tuple[np.ndarray, ...]:
    raw = raw_of(rows)
    return raw.boxes_xyxy, raw.objectness, raw.class_scores


def test_what_the_file_says_applies_unless_other_thresholds_are_given() -> None:
    rows = predictions(60, 3, 0, steps=2**20)
    about = describe(HEIGHT, WIDTH, suppression=SuppressionSettings(score_threshold=0.3))
    [by_default] = select(raw_of(rows), about)
    [lower] = select(raw_of(rows), about, SuppressionSettings(score_threshold=0.1))
    assert by_default.scores.min() >= 0.3 > lower.scores.min() >= 0.1
    assert not len(select(raw_of(rows[:0]), about)[0].scores)


def test_thousands_of_anchors_cost_little_beside_a_window() -> None:
    """A generous limit, for a busy machine: it takes about a millisecond."""
    rows = predictions(5000, 8, 0, steps=2**20)
    raw, settings = raw_of(rows), SuppressionSettings(score_threshold=0.3)
    selected(raw, "suppression", settings)
    start = time.process_time()
    for _ in range(5):
        selected(raw, "suppression", settings)
    assert (time.process_time() - start) / 5 < 0.1
