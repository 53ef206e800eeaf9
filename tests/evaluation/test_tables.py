from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.lib.recfunctions import rename_fields

from etram_pipeline.core.errors import LabelError
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import detection_boxes, label_boxes

Make = Callable[..., Any]


def test_boxes_are_sorted_by_time_and_keep_their_order_within(
    label_table: Make, two_classes: Protocol
) -> None:
    table = label_table((9, 1, 0, 5, 5, 0), (7, 2, 0, 5, 5, 0), (9, 3, 0, 5, 5, 0))
    boxes = label_boxes(table, "a", two_classes)
    assert boxes.boxes_xywh[:, 0].tolist() == [2, 1, 3]


def test_only_boxes_after_the_start_count(label_table: Make, two_classes: Protocol) -> None:
    table = label_table((0, 0, 0, 5, 5, 0), (500, 0, 0, 5, 5, 0), (501, 0, 0, 5, 5, 0))
    late = two_classes.model_copy(update={"start_us": 500})
    assert label_boxes(table, "a", late).times_us.tolist() == [501]
    assert label_boxes(table, "a", two_classes).times_us.tolist() == [0, 500, 501]


def test_least_sizes_are_of_the_grid_and_included(
    detection_table: Make, two_classes: Protocol
) -> None:
    protocol = two_classes.model_copy(
        update={"pixel_scale": 0.5, "min_side_px": 3, "min_diagonal_px": 5}
    )
    sizes = [(6, 8), (5.9, 9), (7, 7), (6, 7.9)]  # diagonals of 5, 5.4, 4.95 and 4.96 px
    table = detection_table(*((7, 0, 0, *size, 0, 0.5) for size in sizes))
    boxes = detection_boxes(table, "a", protocol)
    assert boxes.boxes_xywh[:, 2:].tolist() == [[3, 4]]


@pytest.mark.parametrize(
    ("column", "value", "complaint"),
    [
        ("x", np.nan, "row 1"),
        ("w", -1, "negative size"),
        ("h", np.inf, "not finite"),
        ("score", np.nan, "score that is not a number"),
        ("t", -5, "whole numbers from 0"),
    ],
)
def test_a_value_that_cannot_be_is_refused(
    detection_table: Make, two_classes: Protocol, column: str, value: float, complaint: str
) -> None:
    table = detection_table((7, 0, 0, 5, 5, 0, 0.5), (7, 0, 0, 5, 5, 0, 0.5))
    table[column][1] = value
    with pytest.raises(LabelError, match=rf"detection table of 'test/b'.*{complaint}"):
        detection_boxes(table, "test/b", two_classes)


def test_times_that_are_not_whole_are_refused(label_table: Make, two_classes: Protocol) -> None:
    table = label_table((7, 0, 0, 5, 5, 0))
    wrong = table.astype([(name, "f8") for name in table.dtype.names])
    with pytest.raises(LabelError, match="has float64 in column 't', but must have whole numbers"):
        label_boxes(wrong, "a", two_classes)


def test_a_missing_column_is_named(label_table: Make, two_classes: Protocol) -> None:
    table = label_table((7, 0, 0, 5, 5, 0))[["t", "x", "y", "w", "class_id"]]
    with pytest.raises(LabelError, match=r"label table of 'a' has columns .* but lacks .*'h'"):
        label_boxes(table, "a", two_classes)


def test_a_table_without_the_ranking_score_is_refused(
    label_table: Make, two_classes: Protocol
) -> None:
    labels = label_table((7, 0, 0, 5, 5, 0))
    with pytest.raises(LabelError, match="lacks the column 'score', by which protocol 'two' ranks"):
        detection_boxes(labels, "a", two_classes)
    by_class = two_classes.model_copy(update={"ranking": "class"})
    assert detection_boxes(labels, "a", by_class).scores.tolist() == [1]


def test_tracks_and_confidences_are_not_needed(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    names = ["t", "x", "y", "w", "h", "class_id"]
    labels = label_table((7, 0, 0, 5, 5, 0))[names]
    detections = detection_table((7, 0, 0, 5, 5, 0, 0.5))[[*names, "score"]]
    assert label_boxes(labels, "a", two_classes).times_us.tolist() == [7]
    assert detection_boxes(detections, "a", two_classes).scores.tolist() == [0.5]


def test_a_score_that_is_missing_is_never_made_up(
    detection_table: Make, two_classes: Protocol
) -> None:
    by_class = two_classes.model_copy(update={"ranking": "class"})
    detections = detection_table((7, 0, 0, 5, 5, 0, 0.5))
    theirs = rename_fields(detections, {"class_confidence": "confidence"})
    assert detection_boxes(theirs, "a", by_class).scores.tolist() == [0.5]
    none = detections[["t", "x", "y", "w", "h", "class_id", "score"]]
    with pytest.raises(LabelError, match="lacks the column 'class_confidence', by which protocol"):
        detection_boxes(none, "a", by_class)


def test_an_array_without_an_element_is_a_table_without_boxes(two_classes: Protocol) -> None:
    assert len(label_boxes(np.array([]), "a", two_classes).scores) == 0
    assert len(detection_boxes(np.array([]), "a", two_classes).scores) == 0
