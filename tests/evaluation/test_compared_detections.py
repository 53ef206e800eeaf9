"""Which detections an evaluation compares is a choice of the protocol, made for each recording."""

import logging
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from tests.evaluation.conftest import rectangles

from etram_pipeline.evaluation import evaluate
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.protocols import NAMED

Make = Callable[..., Any]
BOX = (0, 0, 10, 10, 0)
SMALL = (50, 50, 4, 4, 0)


@pytest.mark.parametrize(
    ("frames", "expected"),
    [("labelled", (1, 1, 1)), ("near", (1, 2, 1 / 2)), ("all", (2, 3, 1 / 3))],
)
def test_each_value_of_frames_compares_its_detections(
    label_table: Make,
    detection_table: Make,
    two_classes: Protocol,
    frames: str,
    expected: tuple[int, int, float],
) -> None:
    labels = {"a": label_table((100_000, *BOX))}
    far = (300, 0, 10, 10, 0)
    found = detection_table(
        (100_000, *BOX, 0.7), (90_000, *far, 0.8), (200_000, *BOX, 0.9), (200_001, *SMALL, 0.1)
    )
    protocol = two_classes.model_copy(update={"frames": frames, "moments": "all", "min_side_px": 5})
    metrics = evaluate(labels, {"a": found}, protocol)
    assert (metrics.num_frames, metrics.num_detections) == expected[:2]
    assert metrics.precision_recall["car"] == pytest.approx([expected[2]] * 101)


@pytest.mark.parametrize("name", NAMED)
def test_named_protocols_select_the_detections_at_labelled_moments(
    random_tables: Make, name: str
) -> None:
    labels, detections = random_tables(11, num_recordings=4)
    if NAMED[name].needs_masks:
        labels, detections = rectangles((labels, detections))
    rng = np.random.default_rng(0)
    every_window = {}
    for recording, table in detections.items():
        between = table[rng.permutation(len(table))]
        between["t"] += rng.choice([1, 20_000, 50_000, 80_000], len(between))
        # Nothing is found at one labelled moment, for which `near` takes a neighbour.
        at_others = table[table["t"] != 300_000]
        every_window[recording] = rng.permutation(np.concatenate([at_others, between]))
    at_labels = {
        recording: table[np.isin(table["t"], labels[recording]["t"])]
        for recording, table in every_window.items()
    }
    assert sum(map(len, at_labels.values())) < sum(map(len, every_window.values()))
    assert evaluate(labels, every_window, name) == evaluate(labels, at_labels, name)
    near = NAMED[name].model_copy(update={"name": "near", "frames": "near"})
    assert evaluate(labels, every_window, near) != evaluate(labels, at_labels, near)


def test_moments_are_those_of_the_recording_itself(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    labels = {"a": label_table((100, *BOX)), "b": label_table((200, *BOX)), "c": label_table()}
    found = detection_table((100, *BOX, 0.9), (200, *BOX, 0.9))
    metrics = evaluate(labels, {"a": found, "b": found, "c": found}, two_classes)
    assert metrics.num_frames == metrics.num_detections == 2
    assert metrics.overall["AP"] == pytest.approx(1)


def test_a_recording_without_labels_counts_only_where_all_moments_do(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    labels = {"a": label_table((100, *BOX)), "b": label_table()}
    found = {"a": detection_table((100, *BOX, 0.8)), "b": detection_table((100, *BOX, 0.9))}
    for frames, precision in (("labelled", 1), ("near", 1), ("all", 0.5)):
        protocol = two_classes.model_copy(update={"frames": frames})
        assert evaluate(labels, found, protocol).overall["AP"] == pytest.approx(precision)


def test_a_recording_without_detections_counts_as_missed(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    labels = {"a": label_table((100, *BOX)), "b": label_table((100, *BOX))}
    found = {"a": detection_table((100, *BOX, 0.9)), "b": detection_table()}
    for frames in ("labelled", "near", "all"):
        protocol = two_classes.model_copy(update={"frames": frames})
        assert evaluate(labels, found, protocol).overall["AR_100"] == 0.5


def test_a_label_that_does_not_count_marks_its_moment(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    # As in the references: the detector runs at a label that is too small, and what it finds there
    # counts if another label lies within the tolerance, but makes no frame of its own.
    protocol = two_classes.model_copy(
        update={"min_side_px": 5, "start_us": 30, "tolerance_us": 10, "moments": "all"}
    )
    labels = label_table((30, *BOX), (100, *BOX), (105, *SMALL), (200, *SMALL))
    found = detection_table(
        (30, *BOX, 0.9), (100, *BOX, 0.9), (103, *BOX, 0.9), (105, *BOX, 0.9), (200, *BOX, 0.9)
    )
    metrics = evaluate({"a": labels}, {"a": found}, protocol)
    assert (metrics.num_frames, metrics.num_labels, metrics.num_detections) == (1, 1, 2)


@pytest.mark.parametrize(("t", "warns"), [(100, False), (101, True)])
def test_detections_at_no_labelled_moment_are_reported(
    label_table: Make,
    detection_table: Make,
    two_classes: Protocol,
    caplog: pytest.LogCaptureFixture,
    t: int,
    *,
    warns: bool,
) -> None:
    labels = {"a": label_table((100, *BOX)), "b": label_table()}
    found = {"a": detection_table((t, *BOX, 0.9)), "b": detection_table((100, *BOX, 0.9))}
    with caplog.at_level(logging.WARNING):
        metrics = evaluate(labels, found, two_classes)
    assert ("none of the 2 detections is at one" in caplog.text) == warns
    assert metrics.overall["AP"] == (0 if warns else pytest.approx(1))


def test_tables_with_other_names_of_columns_have_moments(
    label_table: Make, detection_table: Make, two_classes: Protocol
) -> None:
    table = label_table((100, *BOX))
    names = ["ts" if name == "t" else name for name in table.dtype.names]
    table = table.astype(
        [(new, table.dtype[old]) for new, old in zip(names, table.dtype.names, strict=True)]
    )
    metrics = evaluate({"a": table}, {"a": detection_table((100, *BOX, 0.9))}, two_classes)
    assert metrics.overall["AP"] == pytest.approx(1)
