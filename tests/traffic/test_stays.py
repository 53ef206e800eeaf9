"""When who is in which zone."""

import numpy as np
import pytest
from tests.traffic.walks import Points, path, together, walk

from etram_pipeline.traffic.ground_points import paths
from etram_pipeline.traffic.site import Zone
from etram_pipeline.traffic.stays import Stays, find_stays

ZONES = {"zone": Zone(polygon=((0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)))}
IN, OUT, BELOW = (5.0, 5.0), (15.0, 5.0), (5.0, 15.0)


def stayed(*points: Points) -> Stays:
    return find_stays(path(walk([each for part in points for each in part])), ZONES)


def test_a_stay_lasts_from_half_way_before_it_to_half_way_after() -> None:
    (found,) = stayed([OUT] * 4, [IN] * 40, [BELOW] * 4)
    assert found["enter"] == 225_000
    assert found["leave"] - found["enter"] == 40 * 50_000
    assert not found["begins_inside"]
    assert not found["ends_inside"]
    assert (found["left_x"], found["left_y"]) == (5, 10)


def test_a_track_may_begin_and_end_inside() -> None:
    (found,) = stayed([IN] * 40)
    assert found["begins_inside"]
    assert found["ends_inside"]
    assert (found["enter"], found["leave"]) == (50_000, 2_000_000)
    assert np.isnan(found["left_x"])


@pytest.mark.parametrize(("rows_outside", "number"), [(1, 1), (3, 1), (4, 2), (40, 2)])
def test_gaps_below_200_ms_do_not_part_a_stay(rows_outside: int, number: int) -> None:
    assert len(stayed([OUT], [IN] * 10, [OUT] * rows_outside, [IN] * 10, [OUT])) == number


@pytest.mark.parametrize(("rows", "number"), [(1, 0), (3, 0), (4, 1)])
def test_shorter_stays_do_not_count(rows: int, number: int) -> None:
    assert len(stayed([OUT], [IN] * rows, [OUT])) == number


def test_stays_of_two_tracks_are_two() -> None:
    table = together(walk([IN] * 10, 1), walk([IN] * 10, 2), walk([OUT] * 9, 3))
    (part,) = paths(table)
    found = find_stays(part, ZONES)
    assert found["track_id"].tolist() == [1, 2]


def test_nobody_stays_where_nobody_is() -> None:
    assert len(stayed([OUT] * 9)) == 0
