"""Frames know their times, and labels the rows of their tables."""

from collections.abc import Callable

import numpy as np

from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.scoring import gather_evidence
from etram_pipeline.labels.detections import DetectionTable
from etram_pipeline.labels.table import LabelTable


def test_labels_of_frames_name_their_rows_in_tables_of_any_order(
    label_table: Callable[..., LabelTable], detection_table: Callable[..., DetectionTable]
) -> None:
    protocol = Protocol(name="tram", class_names=("tram",), min_side_px=5)
    table = label_table(
        (300, 0, 0, 10, 10, 1),
        (100, 0, 0, 2, 2, 1),  # too small
        (100, 0, 0, 20, 20, 1),
        (200, 0, 0, 20, 20, 0),  # of a class that does not count
    )
    tables = {"a": table, "b": table[:1]}
    found = {"a": detection_table((100, 0, 0, 20, 20, 1, 0.5)), "b": detection_table()}
    evidence = gather_evidence(tables, found, protocol, ("car", "tram"))
    labels = evidence.frames.labels
    assert labels.rows is not None
    assert labels.rows.tolist() == [2, 0, 0]
    assert evidence.frames.times_us.tolist() == [100, 200, 300, 300]
    assert evidence.frames.times_us[labels.frames].tolist() == [100, 300, 300]
    night = evidence.of_recordings(np.array([False, True]))
    assert night.frames.times_us.tolist() == [300]


def test_frames_without_labels_have_the_time_of_their_detections(
    label_table: Callable[..., LabelTable], detection_table: Callable[..., DetectionTable]
) -> None:
    protocol = Protocol(name="all", frames="all", tolerance_us=0)
    found = {"a": detection_table((100, 0, 0, 9, 9, 0, 0.5), (50, 0, 0, 9, 9, 0, 0.4))}
    evidence = gather_evidence({"a": label_table((100, 0, 0, 9, 9, 0))}, found, protocol)
    assert evidence.frames.times_us.tolist() == [100, 50]
    assert evidence.frames.detections.rows is None
