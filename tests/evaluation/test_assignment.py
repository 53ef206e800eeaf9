import numpy as np
import pytest

from etram_pipeline.evaluation import assignment
from etram_pipeline.evaluation.assignment import Overlaps, assign, find_overlaps
from etram_pipeline.evaluation.matching import FrameBoxes


def boxes(*rows: tuple[float, float, float, float]) -> FrameBoxes:
    zeros = np.zeros(len(rows), np.int64)
    return FrameBoxes(zeros, np.array(rows, np.float32).reshape(-1, 4), zeros, np.zeros(len(rows)))


def overlaps(*pairs: tuple[int, int, float]) -> Overlaps:
    detections, labels, ious = zip(*pairs, strict=True)
    return Overlaps(np.array(detections), np.array(labels), np.array(ious, float))


def given_to(
    pairs: Overlaps, groups: list[int], ignored: list[bool], min_iou: float = 0.5
) -> list[int]:
    rows, labels = assign(pairs, np.array(groups), np.array([min_iou]), np.array([ignored]))
    assert rows.tolist() == sorted(set(pairs.detections.tolist()))
    found: list[int] = labels[0, 0].tolist()
    return found


def test_only_boxes_of_one_group_overlap() -> None:
    square = boxes((0, 0, 2, 2), (0, 0, 2, 2))
    pairs = find_overlaps(square, square, np.array([5, 6]), np.array([6, 7]), 0.1)
    assert (pairs.detections.tolist(), pairs.labels.tolist()) == ([0], [1])


def test_overlap_is_intersection_over_union() -> None:
    one = np.zeros(1, np.int64)
    pairs = find_overlaps(boxes((0, 0, 4, 4)), boxes((2, 2, 4, 2)), one, one, 0.0)
    assert pairs.ious.tolist() == [4 / 20]


def test_boxes_without_area_overlap_nothing() -> None:
    one = np.zeros(1, np.int64)
    pairs = find_overlaps(boxes((1, 1, 0, 0)), boxes((1, 1, 0, 0)), one, one, 0.0)
    assert pairs.ious.tolist() == [0]


def test_few_pairs_at_once_find_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    labels, detections = (boxes(*rng.uniform(1, 9, (30, 4))) for _ in range(2))
    groups = np.sort(rng.integers(0, 4, 30))
    whole = find_overlaps(labels, detections, groups, groups, 0.3)
    monkeypatch.setattr(assignment, "_PAIRS_AT_ONCE", 20)
    parts = find_overlaps(labels, detections, groups, groups, 0.3)
    assert len(whole.ious) > 10
    assert np.array_equal(parts.ious, whole.ious)
    assert np.array_equal(parts.labels, whole.labels)


def test_a_label_is_given_once_and_to_the_better_detection() -> None:
    pairs = overlaps((0, 0, 0.6), (1, 0, 0.9))
    assert given_to(pairs, [0, 0], [False]) == [0, -1]


def test_a_detection_turns_to_the_next_best_label() -> None:
    pairs = overlaps((0, 0, 0.9), (0, 1, 0.6), (1, 0, 0.8), (1, 1, 0.7))
    assert given_to(pairs, [0, 0], [False, False]) == [0, 1]


def test_groups_do_not_compete() -> None:
    pairs = overlaps((0, 0, 0.6), (1, 1, 0.9), (2, 1, 0.9))
    assert given_to(pairs, [0, 1, 1], [False, False]) == [0, 1, -1]


def test_a_label_that_counts_goes_before_an_ignored_one() -> None:
    pairs = overlaps((0, 0, 0.9), (0, 1, 0.6))
    assert given_to(pairs, [0], [True, False]) == [1]
    assert given_to(pairs, [0], [True, False], min_iou=0.7) == [0]


def test_of_equal_overlaps_the_last_label_wins() -> None:
    assert given_to(overlaps((0, 0, 0.8), (0, 1, 0.8)), [0], [False, False]) == [1]
