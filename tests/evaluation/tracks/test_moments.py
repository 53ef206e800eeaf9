"""When tracks are compared, where they are then, and how fast labels are."""

import numpy as np
import pytest
from tests.evaluation.tracks.conftest import label_rows, track_rows

from etram_pipeline.evaluation.tracks.boxes import TrackBoxes, labelled_boxes, tracked_boxes
from etram_pipeline.evaluation.tracks.moments import boxes_at, recent_speeds, scored_moments
from etram_pipeline.evaluation.tracks.protocol import TrackProtocol

GRID = TrackProtocol(name="grid", moments="grid")


def times(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def test_moments_are_those_of_labels() -> None:
    found = scored_moments(times(300, 100, 100, 700), TrackProtocol(name="own"))
    assert found.tolist() == [100, 300, 700]


@pytest.mark.parametrize(
    ("labelled", "expected"),
    [
        ((100, 200, 300, 600), [100, 200, 300, 400, 500, 600]),
        ((33, 67, 100, 200), [33, 67, 100, 133, 167, 200]),
        ((100, 200, 300, 310), [100, 200, 300, 310]),
        ((100,), [100]),
        ((), []),
    ],
)
def test_grid_fills_gaps_of_several_intervals(labelled: tuple[int, ...], expected: object) -> None:
    assert scored_moments(times(*labelled), GRID).tolist() == expected


def boxes(*rows: tuple[float, ...]) -> TrackBoxes:
    """Boxes of rows `t, x, track_id`."""
    table = track_rows(*((t, x, 10, 20, 20, track_id) for t, x, track_id in rows))
    return tracked_boxes(table, "r", TrackProtocol(name="own"))


def rows(found: TrackBoxes) -> list[tuple[float, ...]]:
    columns = found.times_us, found.boxes_xywh[:, 0], found.track_ids
    return list(zip(*(column.tolist() for column in columns), strict=True))


def test_without_interpolation_only_boxes_at_the_moment_count() -> None:
    found = boxes_at(boxes((0, 0, 1), (50, 5, 1), (100, 10, 1)), times(0, 60, 100), 0)
    assert rows(found) == [(0, 0, 1), (100, 10, 1)]


def test_boxes_are_interpolated_between_near_ones_of_a_track_but_not_beyond() -> None:
    made = boxes((0, 0, 2), (100, 10, 2), (300, 30, 2), (50, 0, 1), (70, 8, 1))
    found = boxes_at(made, times(0, 60, 200, 300, 400), 100)
    assert rows(found) == [(0, 0, 2), (60, 4, 1), (60, 6, 2), (300, 30, 2)]


def test_nothing_is_interpolated_to_nothing() -> None:
    assert not len(boxes_at(boxes(), times(0, 1), 100))
    assert not len(boxes_at(boxes((0, 0, 1), (9, 0, 1)), times(), 100))


def speeds(*rows: tuple[float, ...]) -> list[float]:
    """Speeds of labels of rows `t in seconds, x, track_id`, whose size is 20 px."""
    table = label_rows(*((t * 1e6, x, 10, 40, 10, track_id) for t, x, track_id in rows))
    found = recent_speeds(labelled_boxes(table, "r", TrackProtocol(name="own")))
    return [float(speed) for speed in found]


def test_speed_is_that_of_the_last_second() -> None:
    found = speeds((0, 0, 1), (0.5, 20, 1), (1, 20, 1), (1.5, 20, 1), (2, 40, 1))
    assert found == pytest.approx([2, 2, 1, 0, 1])


def test_speed_is_unknown_of_a_box_far_from_the_others_of_its_track() -> None:
    assert speeds((0, 0, 1), (5, 0, 1), (5.5, 0, 2), (6, 0, 1)) == [np.inf, 0, np.inf, 0]
    assert speeds() == []
