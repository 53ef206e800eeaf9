"""The validation score."""

from collections.abc import Callable

import numpy as np
import torch

from etram_pipeline.analysis.calibration import find_calibration
from etram_pipeline.clips.detections import DetectionCollector
from etram_pipeline.core.batch import Detections, SequenceBatch
from etram_pipeline.evaluation import evaluate
from etram_pipeline.labels.table import LabelTable
from etram_pipeline.training.data import LabelledRecordings
from etram_pipeline.training.scoring import ValidationScore

Record = Callable[..., LabelledRecordings]
CLASSES = ("box", "other")


def found_near(table: LabelTable, shift: float) -> tuple[SequenceBatch, list[Detections]]:
    """Every label of a recording, found a little to the right of where it is."""
    count = len(table)
    batch = SequenceBatch(
        frames=torch.zeros(count, 1, 1, 2, 2),
        starts=torch.tensor([True]),
        keyframes=torch.stack([torch.arange(count), torch.zeros(count, dtype=torch.int64)], 1),
        recordings=("train/r0",),
        times_us=torch.from_numpy(table["t"].copy()).view(-1, 1),
    )
    corners = [
        table["x"] + shift,
        table["y"],
        table["x"] + table["w"] + shift,
        table["y"] + table["h"],
    ]
    boxes = torch.from_numpy(np.stack(corners, 1))
    one, zero = torch.ones(1), torch.zeros(1, dtype=torch.int64)
    return batch, [Detections(box[None], zero, one) for box in boxes]


def score_of(recordings: LabelledRecordings) -> ValidationScore:
    labels = {name: frames.labels for name, frames in recordings.labels.items()}
    return ValidationScore(labels, dict.fromkeys(labels, 1), CLASSES, "coco")


def test_it_is_what_the_evaluation_says_of_the_same_tables(record: Record) -> None:
    recordings = record(2)
    batch, found = found_near(recordings.labels["train/r0"].labels, shift=1.5)
    score = score_of(recordings)
    score.add(batch, found)
    collector = DetectionCollector(dict.fromkeys(recordings.frames, 1))
    collector.add(batch, found)
    tables = {name: collector.take(name) for name in recordings.frames}
    labels = {name: frames.labels for name, frames in recordings.labels.items()}
    expected = evaluate(labels, tables, "coco", class_names=CLASSES).overall
    metrics = score.compute()
    assert 0 < metrics[score.monitor.name] < 1
    assert metrics == {f"val/coco/{k}": value for k, value in expected.items() if value >= 0}


def test_the_calibration_is_fitted_to_the_same_tables(record: Record) -> None:
    recordings = record(2)
    labels = {name: frames.labels for name, frames in recordings.labels.items()}
    batch, found = found_near(labels["train/r0"], shift=1.5)
    score = ValidationScore(labels, dict.fromkeys(labels, 1), CLASSES, "coco", scaling="platt")
    score.add(batch, found)
    collector = DetectionCollector(dict.fromkeys(recordings.frames, 1))
    collector.add(batch, found)
    tables = {name: collector.take(name) for name in recordings.frames}
    score.compute()
    assert score.calibration is not None
    assert score.calibration == find_calibration(labels, tables, "coco", CLASSES, kind="platt")


def test_detections_are_scored_once(record: Record) -> None:
    recordings = record(1)
    score = score_of(recordings)
    score.add(*found_near(recordings.labels["train/r0"].labels, shift=0))
    assert score.compute()["val/coco/AP"] == 1
    assert score.compute()["val/coco/AP"] == 0


def test_without_labels_there_is_no_score(record: Record) -> None:
    assert score_of(record(0)).compute() == {}
    assert score_of(record(2, num_windows=1)).compute() == {}
