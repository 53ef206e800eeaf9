"""Detections of batches as tables."""

import numpy as np
import pytest
import torch

from etram_pipeline.clips.detections import DetectionCollector
from etram_pipeline.core.batch import Detections, SequenceBatch


def batch(times_us: list[list[int]], keyframes: list[list[int]]) -> SequenceBatch:
    return SequenceBatch(
        frames=torch.zeros(len(times_us), len(times_us[0]), 1, 2, 2, dtype=torch.uint8),
        starts=torch.zeros(len(times_us[0]), dtype=torch.bool),
        keyframes=torch.tensor(keyframes).view(-1, 2),
        recordings=("test/a", "test/b")[: len(times_us[0])],
        times_us=torch.tensor(times_us),
    )


def detections(*boxes: tuple[float, float, float, float]) -> Detections:
    count = len(boxes)
    return Detections(
        torch.tensor(boxes, dtype=torch.float32).view(-1, 4),
        torch.arange(count),
        scores=torch.full((count,), 0.375),
        objectness=torch.full((count,), 0.5),
        class_scores=torch.full((count,), 0.75),
    )


def test_boxes_are_in_px_of_the_sensor_with_all_their_scores() -> None:
    collector = DetectionCollector({"test/a": 2})
    collector.add(batch([[50_000]], [[0, 0]]), [detections((1, 2, 4, 8), (0, 0, 3, 3))])
    table = collector.take("test/a")
    assert [table[column].tolist() for column in "xywh"] == [[2, 0], [4, 0], [6, 6], [12, 6]]
    assert table["t"].tolist() == [50_000, 50_000]
    assert table["class_id"].tolist() == [0, 1]
    assert table["score"].tolist() == [0.375, 0.375]
    assert table["objectness"].tolist() == [0.5, 0.5]
    assert table["class_score"].tolist() == table["class_confidence"].tolist() == [0.75, 0.75]


def test_a_detector_without_objectness_is_sure_of_objects() -> None:
    collector = DetectionCollector({"test/a": 2})
    found = Detections(torch.ones(1, 4), torch.zeros(1, dtype=torch.int64), torch.tensor([0.75]))
    collector.add(batch([[50_000]], [[0, 0]]), [found])
    table = collector.take("test/a")
    assert table["objectness"].tolist() == [1]
    for column in ("score", "class_score", "class_confidence"):
        assert table[column].tolist() == [0.75]


def test_each_recording_gets_what_was_found_in_its_lane_in_order_of_time() -> None:
    collector = DetectionCollector({"test/a": 1, "test/b": 1})
    keyframes = [[0, 0], [0, 1], [1, 0]]
    found = [detections((0, 0, 1, 1)), detections((0, 0, 2, 2)), detections((0, 0, 3, 3))]
    collector.add(batch([[10, 11], [20, 21]], keyframes), found)
    collector.add(batch([[30, 31]], [[0, 0]]), [detections()])
    tables = collector.take_all()
    assert tables["test/a"]["t"].tolist() == [10, 20]
    assert tables["test/b"]["w"].tolist() == [2]
    assert collector.take_all() == {}


def test_a_recording_in_which_nothing_was_found_has_an_empty_table() -> None:
    table = DetectionCollector({"test/a": 1}).take("test/a")
    assert len(table) == 0
    assert "score" in (table.dtype.names or ())


def test_scores_of_low_precision_are_kept_as_numbers() -> None:
    collector = DetectionCollector({"test/a": 1})
    half = Detections(
        torch.ones(1, 4, dtype=torch.bfloat16),
        torch.zeros(1, dtype=torch.int64),
        torch.ones(1, dtype=torch.bfloat16),
    )
    collector.add(batch([[10]], [[0, 0]]), [half])
    assert np.isfinite(collector.take("test/a")["score"]).all()


def test_a_batch_without_times_is_refused() -> None:
    bare = SequenceBatch(
        torch.zeros(1, 1, 1, 2, 2),
        torch.zeros(1, dtype=torch.bool),
        torch.zeros(0, 2, dtype=torch.int64),
    )
    with pytest.raises(ValueError, match="does not say when its windows end"):
        DetectionCollector({}).add(bare, [])
