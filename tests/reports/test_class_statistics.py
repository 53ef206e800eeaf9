"""Shares of classes, hand-computed."""

import pytest
from tests.labels.test_statistics import labelled

from etram_pipeline.core.errors import LabelError
from etram_pipeline.reports.class_statistics import class_statistics

LABELS = {"train": [labelled([0, 0, 2], [], [0, 0]), labelled([2])], "val": [labelled([2], [0])]}
NAMES = ("car", "bus", "tram")


def test_rows_give_counts_and_shares_by_split_and_class() -> None:
    rows = class_statistics(LABELS, NAMES, None)
    keys = ("split", "class", "boxes", "frames", "share_of_boxes", "share_of_frames")
    assert [tuple(row.values()) for row in rows] == [
        ("train", "car", 4, 2, pytest.approx(4 / 6), 0.5),
        ("train", "bus", 0, 0, 0, 0),
        ("train", "tram", 2, 2, pytest.approx(2 / 6), 0.5),
        ("val", "car", 1, 1, 0.5, 0.5),
        ("val", "bus", 0, 0, 0, 0),
        ("val", "tram", 1, 1, 0.5, 0.5),
    ]
    assert {tuple(row) for row in rows} == {keys}


def test_classes_that_occur_in_training_have_repeat_factors() -> None:
    rows = class_statistics(LABELS, NAMES, 0.72)  # half of the frames: sqrt(0.72 / 0.5)
    assert [row["repeat_factor"] for row in rows] == [
        pytest.approx(1.2),
        None,
        pytest.approx(1.2),
        *[None] * 3,
    ]


def test_a_class_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LabelError, match="boxes of class 2, but there are 2 classes"):
        class_statistics(LABELS, NAMES[:2], None)
