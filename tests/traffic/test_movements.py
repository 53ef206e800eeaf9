"""Who comes from where and goes where."""

from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from tests.traffic.walks import MARGIN, Points, path, together, walk

from etram_pipeline.traffic.crossings import find_crossings
from etram_pipeline.traffic.movements import line_movements, zone_movements
from etram_pipeline.traffic.site import UNKNOWN, Line, Point, Zone
from etram_pipeline.traffic.stays import find_stays

ARMS: dict[str, tuple[Point, Point]] = {
    "north": ((150.0, 50.0), (250.0, 50.0)),
    "east": ((300.0, 100.0), (300.0, 200.0)),
    "south": ((250.0, 250.0), (150.0, 250.0)),
    "west": ((100.0, 200.0), (100.0, 100.0)),
}
"""Lines across the arms of a junction, drawn clockwise, so that `forward` leads into it."""
ZONES = {
    "a": Zone(polygon=((0.0, 0.0), (100.0, 0.0), (100.0, 100.0), (0.0, 100.0))),
    "b": Zone(polygon=((200.0, 0.0), (300.0, 0.0), (300.0, 100.0), (200.0, 100.0))),
}


def junction(
    *, turned: bool = False, forward: str = "in", backward: str = "out"
) -> dict[str, Line]:
    return {
        name: Line(points=ends[::-1] if turned else ends, forward=forward, backward=backward)
        for name, ends in ARMS.items()
    }


def way(*stops: Point) -> Points:
    """Points every few px along straight lines."""
    return [
        (a[0] + (b[0] - a[0]) * k / 20, a[1] + (b[1] - a[1]) * k / 20)
        for a, b in pairwise(stops)
        for k in range(20)
    ]


def moved(points: Points, lines: dict[str, Line]) -> list[tuple[str, str]]:
    found = line_movements(find_crossings(path(walk(points)), lines, MARGIN), lines)
    return [(str(each["origin"]), str(each["destination"])) for each in found]


CENTRE = (200.0, 150.0)


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize(("forward", "backward"), [("in", "out"), ("out", "in"), ("x", "y")])
@pytest.mark.parametrize(
    ("stops", "movement"),
    [
        (((20.0, 150.0), CENTRE, (200.0, 10.0)), ("west", "north")),
        (((20.0, 150.0), CENTRE), ("west", "unknown")),
        ((CENTRE, (390.0, 150.0)), ("unknown", "east")),
        (((20.0, 150.0), CENTRE, (20.0, 150.0)), ("west", "west")),
        (((200.0, 10.0), (200.0, 290.0)), ("north", "south")),
    ],
)
def test_ends_do_not_depend_on_names_or_how_lines_were_drawn(
    stops: tuple[Point, ...],
    movement: tuple[str, str],
    turned: bool,  # noqa: FBT001
    forward: str,
    backward: str,
) -> None:
    lines = junction(turned=turned, forward=forward, backward=backward)
    assert moved(way(*stops), lines) == [movement]


@pytest.mark.parametrize("points", [way((100.0, 150.0), (300.0, 150.0))])
def test_a_single_line_is_where_road_users_come_from(points: Points) -> None:
    lines = {"gate": Line(points=((200.0, 0.0), (200.0, 300.0)))}
    assert moved(points, lines) == moved(points[::-1], lines) == [("gate", "unknown")]


def test_the_time_is_that_of_the_first_crossing() -> None:
    lines = junction()
    found = find_crossings(path(walk(way((20.0, 150.0), (390.0, 150.0)))), lines, MARGIN)
    (movement,) = line_movements(found, lines)
    assert movement["t"] == found["t"][0] < found["t"][-1]


def test_movements_add_up_to_the_tracks_that_cross_and_start_where_these_cross_first() -> None:
    rng = np.random.default_rng(0)
    walks = (rng.normal(0, 20, (90, 2)).cumsum(axis=0) + CENTRE for _ in range(30))
    lines = junction()
    table = together(*(walk(points, k) for k, points in enumerate(walks, start=1)))
    found = find_crossings(path(table), lines, MARGIN)
    movements = line_movements(found, lines)
    assert movements["track_id"].tolist() != sorted(movements["track_id"].tolist())
    assert sorted(movements["track_id"].tolist()) == np.unique(found["track_id"]).tolist()
    complete = [each for each in movements if UNKNOWN not in each.tolist()]
    first_lines = Counter(
        str(found["line"][found["track_id"] == each["track_id"]][0]) for each in complete
    )
    assert len(complete) > 5
    assert Counter(str(each["origin"]) for each in complete) == first_lines


@pytest.mark.parametrize(
    ("stops", "movement"),
    [
        (((50.0, 50.0), (250.0, 50.0)), ("a", "b")),
        (((250.0, 150.0), (250.0, 50.0), (50.0, 50.0), (50.0, 150.0)), ("b", "a")),
        (((50.0, 50.0), (50.0, 150.0)), ("a", "unknown")),
        (((50.0, 150.0), (50.0, 50.0)), ("unknown", "a")),
        (((50.0, 150.0), (50.0, 50.0), (150.0, 50.0)), ("a", "unknown")),
        (((50.0, 30.0), (50.0, 60.0)), ("a", "unknown")),
    ],
)
def test_movements_between_zones(stops: tuple[Point, ...], movement: tuple[str, str]) -> None:
    (found,) = zone_movements(find_stays(path(walk(way(*stops))), ZONES))
    assert (found["origin"], found["destination"]) == movement
