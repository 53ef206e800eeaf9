from collections.abc import Callable
from typing import Any

import pytest

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.protocol import Protocol

Make = Callable[..., Any]
Counts = Callable[..., tuple[tuple[int, ...], ...]]


@pytest.fixture
def counts(label_table: Make, detection_table: Make, two_classes: Protocol) -> Counts:
    """Confusions of cars (0), trams (1) and background at one moment; labels are 10 px squares."""

    def run(
        labels: list[tuple[float, int]], detections: list[tuple[float, int, float]]
    ) -> tuple[tuple[int, ...], ...]:
        metrics = evaluate(
            {"a": label_table(*((7, x, 0, 10, 10, kind) for x, kind in labels))},
            {"a": detection_table(*((7, x, 0, 10, 10, kind, s) for x, kind, s in detections))},
            two_classes,
        )
        assert metrics.confusion.class_names == ("car", "tram", "background")
        return metrics.confusion.counts

    return run


def test_the_truth_is_in_rows(counts: Counts) -> None:
    assert counts([(0, 0)], [(0, 1, 0.9)]) == ((0, 1, 0), (0, 0, 0), (0, 0, 0))


def test_misses_and_false_detections_are_background(counts: Counts) -> None:
    assert counts([(0, 0)], [(90, 1, 0.9)]) == ((0, 0, 1), (0, 0, 0), (0, 1, 0))


def test_the_best_scored_detection_takes_the_label(counts: Counts) -> None:
    found = counts([(0, 0)], [(0, 1, 0.8), (1, 0, 0.9)])
    assert found == ((1, 0, 0), (0, 0, 0), (0, 1, 0))


def test_a_detection_takes_the_label_it_overlaps_most(counts: Counts) -> None:
    assert counts([(0, 0), (3, 1)], [(2, 1, 0.9)]) == ((0, 0, 1), (0, 1, 0), (0, 0, 0))


def test_weak_detections_are_left_out(counts: Counts) -> None:
    assert counts([(0, 0)], [(0, 0, 0.29)]) == ((0, 0, 1), (0, 0, 0), (0, 0, 0))


def test_half_an_overlap_is_enough(counts: Counts) -> None:
    assert counts([(0, 0)], [(3.3, 0, 0.9)])[0][0] == 1  # IoU 0.504
    assert counts([(0, 0)], [(3.4, 0, 0.9)])[0][0] == 0  # IoU 0.493
