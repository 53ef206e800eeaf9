from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from etram_pipeline.evaluation.matching import (
    Frames,
    concatenated_ranges,
    join_frames,
    match_recording,
)
from etram_pipeline.evaluation.protocol import Protocol
from etram_pipeline.evaluation.tables import detection_boxes, label_boxes

Make = Callable[..., Any]
Match = Callable[..., Frames]


@pytest.fixture
def match(label_table: Make, detection_table: Make, two_classes: Protocol) -> Match:
    """Matches boxes at the times given; a detection's x is its number."""

    def run(labels_us: list[int], detections_us: list[int], **changes: object) -> Frames:
        protocol = two_classes.model_copy(update=changes)
        labels = label_table(*((t, 0, 0, 9, 9, 0) for t in labels_us))
        detections = detection_table(
            *((t, number, 0, 9, 9, 0, 0.5) for number, t in enumerate(detections_us))
        )
        return match_recording(
            label_boxes(labels, "a", protocol), detection_boxes(detections, "a", protocol), protocol
        )

    return run


def in_frames(frames: Frames) -> list[list[int]]:
    """Numbers of the detections in each frame."""
    boxes = frames.detections
    return [
        boxes.boxes_xywh[boxes.frames == frame, 0].astype(int).tolist()
        for frame in range(len(frames))
    ]


def test_each_time_with_a_label_is_a_frame(match: Match) -> None:
    frames = match([200, 100, 200], [])
    assert len(frames) == 2
    assert frames.labels.frames.tolist() == [0, 1, 1]


def test_the_tolerance_is_included_on_both_sides(match: Match) -> None:
    detections_us = [49, 50, 150, 151]
    frames = match([100], detections_us, tolerance_us=50, moments="all")
    assert in_frames(frames) == [[1, 2]]


def test_a_detection_near_two_frames_is_in_both(match: Match) -> None:
    assert in_frames(match([100, 130], [115], tolerance_us=20, moments="all")) == [[0], [0]]


def test_the_nearest_moment_alone_is_compared(match: Match) -> None:
    frames = match([100, 200], [85, 95, 95, 110, 190], tolerance_us=20)
    assert in_frames(frames) == [[1, 2], [4]]


def test_of_two_equally_near_moments_the_earlier_is_compared(match: Match) -> None:
    assert in_frames(match([100], [90, 110], tolerance_us=20)) == [[0]]


@pytest.mark.parametrize("detection_us", [79, 121])
def test_no_moment_is_near_enough_beyond_the_tolerance(match: Match, detection_us: int) -> None:
    assert in_frames(match([100], [detection_us], tolerance_us=20)) == [[]]


def test_frames_without_labels_are_left_out(match: Match) -> None:
    assert in_frames(match([100], [100, 300], tolerance_us=20)) == [[0]]


def test_all_frames_are_the_labelled_ones_and_those_of_stray_detections(match: Match) -> None:
    # 85 is within the tolerance of a label, though not the nearest moment: it is no stray.
    frames = match([100], [0, 85, 100, 300, 300], tolerance_us=20, frames="all")
    assert in_frames(frames) == [[2], [0], [3, 4]]


def test_frames_of_several_recordings_are_numbered_through(match: Match) -> None:
    frames = join_frames([match([1, 2], [1]), match([], []), match([5], [5])])
    assert frames.recordings.tolist() == [0, 0, 2]
    assert frames.labels.frames.tolist() == [0, 1, 2]
    assert frames.detections.frames[-1] == 2
    last = frames.of_recordings(np.array([False, True, True]))
    assert last.labels.frames.tolist() == last.detections.frames.tolist() == [0]
    assert last.recordings.tolist() == [1]


def test_ranges_are_written_one_after_the_other() -> None:
    ranges = concatenated_ranges(np.array([5, 9, 2]), np.array([2, 0, 3]))
    assert ranges.tolist() == [5, 6, 2, 3, 4]
