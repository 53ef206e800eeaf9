"""Counts of classes, hand-computed."""

import numpy as np

from etram_pipeline.labels.frames import LabelledFrames
from etram_pipeline.labels.statistics import count_classes
from etram_pipeline.labels.table import LABEL_DTYPE


def labelled(*frames: list[int]) -> LabelledFrames:
    """Frames that show boxes of the given classes."""
    table = np.zeros(sum(map(len, frames)), LABEL_DTYPE)
    table["class_id"] = [each for frame in frames for each in frame]
    first = np.cumsum([0, *map(len, frames)])[:-1]
    return LabelledFrames(table, first, np.arange(len(frames)) * 100_000, 100_000)


def test_boxes_and_frames_are_counted_by_class() -> None:
    """Class 0 has four boxes in two frames, class 2 two in two; one frame has no boxes."""
    counts = count_classes([labelled([0, 0, 2], [], [0, 0]), labelled([2])], num_classes=4)
    assert counts.num_boxes.tolist() == [4, 0, 2, 0]
    assert counts.num_frames.tolist() == [2, 0, 2, 0]
    assert counts.total_frames == 4


def test_nothing_is_counted_where_nothing_is_labelled() -> None:
    for recordings in ([], [labelled()], [labelled([], [])]):
        counts = count_classes(recordings, num_classes=2)
        assert counts.num_boxes.tolist() == counts.num_frames.tolist() == [0, 0]
        assert counts.total_frames == sum(map(len, recordings))
