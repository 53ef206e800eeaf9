"""Lines that end at the border of the sensor, where boxes are cut."""

import numpy as np
import pytest
from tests.traffic.walks import CLASSES, Points, walk

from etram_pipeline.tracks.observed import Observed
from etram_pipeline.traffic.counting import count_recording
from etram_pipeline.traffic.polyline import beyond_border
from etram_pipeline.traffic.settings import CountSettings
from etram_pipeline.traffic.site import Image, Line, Site

WIDTH, HEIGHT = 320, 192


def num_crossings(points: Points, line: Points) -> int:
    site = Site(image=Image(width=WIDTH, height=HEIGHT), lines={"gate": Line(points=tuple(line))})
    observed = Observed(WIDTH, HEIGHT, 0, 10_000_000)
    return len(count_recording(walk(points), site, observed, CountSettings(), CLASSES).crossings)


@pytest.mark.parametrize("foot", [191.99999, 192.0, 192.00002])
@pytest.mark.parametrize(
    "line",
    [((160.0, 192.0), (160.0, 100.0)), ((160.0, 100.0), (160.0, 192.0)), ((160, 90), (160, 190.5))],
    ids=["upwards", "downwards", "nearly to the border"],
)
def test_whoever_is_cut_by_the_border_crosses_a_line_that_ends_there(
    foot: float, line: Points
) -> None:
    assert num_crossings([(x, foot) for x in np.arange(120.0, 200.0, 8.0)], line) == 1


def test_end_inside_stays_where_it_is() -> None:
    line = ((160.0, 100.0), (160.0, 180.0))
    assert num_crossings([(x, 181.0) for x in np.arange(120.0, 200.0, 8.0)], line) == 0


def test_ends_move_straight_on() -> None:
    corners = np.array([[0.0, 50.0], [100.0, 50.0], [103.0, 190.0], [106.0, 194.0]])
    moved = beyond_border(corners, WIDTH, HEIGHT)
    assert moved.tolist() == [[-4, 50], [100, 50], [103, 190], [108.4, 197.2]]
