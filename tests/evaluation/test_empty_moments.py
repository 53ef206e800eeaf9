"""Moments that are known to show no object."""

import numpy as np
import pytest

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.evidence import Engine
from etram_pipeline.evaluation.protocols import resolve_protocol
from etram_pipeline.labels.detections import DETECTION_DTYPE, DetectionTable
from etram_pipeline.labels.frames import LabelledFrames, LabelTables
from etram_pipeline.labels.table import LABEL_DTYPE

BOX = {"x": 100, "y": 100, "w": 40, "h": 40}


def frames() -> LabelledFrames:
    """A box at 100 and 300 ms, and none at 200 ms."""
    labels = np.zeros(2, LABEL_DTYPE)
    labels["t"] = 100_000, 300_000
    for name, value in BOX.items():
        labels[name] = value
    times_us = np.array([100_000, 200_000, 300_000])
    return LabelledFrames(labels, np.array([0, 1, 1]), times_us, 100_000)


def detections() -> DetectionTable:
    """The box at all times, where it is not with the highest score, and between two moments."""
    table = np.zeros(4, DETECTION_DTYPE)
    table["t"], table["score"] = [100_000, 200_000, 250_000, 300_000], [0.8, 0.9, 0.95, 0.7]
    for name, value in BOX.items():
        table[name] = value
    return table


@pytest.mark.parametrize("engine", ["compiled", "pycocotools"])
def test_a_detection_at_an_empty_moment_is_false(engine: Engine) -> None:
    tables = LabelTables({"test/a": frames()})
    metrics = evaluate(tables, {"test/a": detections()}, "coco", ("box",), engine=engine)
    assert (metrics.num_frames, metrics.num_labels, metrics.num_detections) == (3, 2, 3)
    # Precision is 0, 1/2 and 2/3 after each detection; at any recall, at most 2/3 is reached.
    assert metrics.overall["AP"] == pytest.approx(2 / 3)


def test_without_the_moment_the_detection_is_not_compared() -> None:
    labels = {"test/a": frames().labels}
    metrics = evaluate(labels, {"test/a": detections()}, "coco", ("box",))
    assert (metrics.num_frames, metrics.num_detections) == (2, 2)
    assert metrics.overall["AP"] == pytest.approx(1)


def test_a_viewer_sees_old_boxes_at_an_empty_moment() -> None:
    late = {"like": "coco", "name": "late", "latency_ms": 10}

    ends_us = np.array([100_000, 150_000, 200_000, 250_000, 300_000])
    metrics = evaluate(
        LabelTables({"test/a": frames()}),
        {"test/a": detections()},
        resolve_protocol(late),
        ("box",),
        searched_us={"test/a": ends_us},
    )
    # At 100 ms nothing is known, at 200 ms the window of 150 ms, at 300 ms that of 250 ms.
    assert (metrics.num_frames, metrics.num_detections) == (3, 1)


def test_results_on_other_empty_moments_are_of_another_ground_truth() -> None:
    tables = LabelTables({"test/a": frames()})
    with_empty, without = (
        evaluate(labels, {"test/a": detections()}, "coco", ("box",)).ground_truth
        for labels in (tables, dict(tables))
    )
    assert with_empty != without
