"""When who crosses which line."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tests.traffic.walks import MARGIN, Points, crossed, names, path, rows_of, together, walk

from etram_pipeline.tracks.table import BRIDGED, RESTED, SEEN
from etram_pipeline.traffic.crossings import find_crossings
from etram_pipeline.traffic.ground_points import paths
from etram_pipeline.traffic.shapes import line_faults
from etram_pipeline.traffic.site import Line

DOWN = Line(points=((100.0, 0.0), (100.0, 100.0)), forward="west", backward="east")
GATE = {"gate": DOWN}
BENT = {"bent": Line(points=((0.0, 50.0), (100.0, 50.0), (100.0, 150.0)))}
EAST = [(float(x), 50.0) for x in range(60, 141, 10)]


@pytest.mark.parametrize(
    ("points", "directions"),
    [
        pytest.param(EAST, ["east"], id="to the left hand of a line drawn downwards"),
        pytest.param(EAST[::-1], ["west"], id="to the right hand"),
        pytest.param([(x, 150.0) for x, _ in EAST], [], id="beyond the end"),
        pytest.param([(98.0, 50.0), (101.0, 50.0), (99.0, 50.0), (102.0, 50.0)], [], id="hovering"),
        pytest.param([*EAST, *EAST[::-1]], ["east", "west"], id="there and back"),
        pytest.param(
            [*EAST[:5], (99.0, 50.0), (101.0, 50.0), (99.0, 50.0), *EAST[5:]], ["east"], id="jitter"
        ),
        pytest.param([(60.0, 50.0), (140.0, 50.0)], ["east"], id="one long step"),
        pytest.param([(60.0, 50.0), (100.0, 50.0), (60.0, 50.0)], [], id="touching"),
        pytest.param([(100.0, 50.0)] * 3 + EAST[5:], [], id="starting on the line"),
        pytest.param([*EAST[:4], (102.9, 50.0)], [], id="short of the margin"),
        pytest.param([*EAST[:4], (103.0, 50.0)], ["east"], id="just as far as the margin"),
        pytest.param([(60.0, 50.0), (60.0, 150.0), (140.0, 150.0), (140.0, 50.0)], [], id="round"),
        pytest.param(
            [(60.0, 50.0), (60.0, 150.0), (140.0, 150.0), (140.0, 50.0), (60.0, 50.0)],
            ["west"],
            id="round the end and back through",
        ),
        pytest.param(
            [(97.0, 50.0), (101.0, 50.0), (97.0, 50.0), (97.0, 150.0), (140.0, 150.0)],
            [],
            id="over the line and back, then round the end",
        ),
        pytest.param([(100.0, 50.0)], [], id="a single row"),
    ],
)
def test_crossings_of_a_line(points: Points, directions: list[str]) -> None:
    assert names(crossed(points, GATE)) == directions


def test_a_crossing_lies_where_straight_lines_meet() -> None:
    (found,) = crossed([(60.0, 40.0), (160.0, 60.0)], GATE)
    assert (found["t"], found["x"], found["y"]) == (70_000, 100, 48)
    assert (found["height_px"], found["state"], found["class_id"]) == (20, SEEN, 1)
    assert np.isnan(found["speed_m_s"])


@pytest.mark.parametrize(
    ("points", "directions"),
    [
        ([(50.0, 10.0), (50.0, 90.0)], ["forward"]),
        ([(50.0, 10.0), (150.0, 10.0), (150.0, 120.0), (50.0, 120.0)], ["forward"]),
        ([(150.0, 120.0), (10.0, 60.0)], ["forward"]),
        ([(150.0, 0.0), (50.0, 100.0)], ["forward"]),
        ([(50.0, 100.0), (100.0, 50.0), (150.0, 0.0)], ["backward"]),
        ([(-20.0, 10.0), (-20.0, 90.0)], []),
        ([(150.0, 170.0), (50.0, 170.0)], []),
    ],
)
def test_crossings_of_a_bent_line(points: Points, directions: list[str]) -> None:
    assert names(crossed(points, BENT)) == directions


@pytest.mark.parametrize(
    ("points", "number"),
    [
        ([(200.0, 10.0), (200.0, 50.0), (200.0, 90.0)], 0),
        ([(200.0, 50.0), (50.0, 50.0), (-50.0, 50.0)], 1),
        ([(200.0, 50.0), (50.0, 50.0), (200.0, 50.0)], 0),
        ([(50.0, 0.0), (50.0, 50.0), (200.0, 50.0), (200.0, 120.0), (50.0, 120.0)], 1),
    ],
    ids=["past the opening", "in by the opening, out", "in and out by the opening", "once around"],
)
def test_a_line_may_be_open_on_one_side_alone(points: Points, number: int) -> None:
    ends_meet = {"c": Line(points=((100.0, 40.0), (0.0, 40.0), (0.0, 100.0), (100.0, 60.0)))}
    assert len(crossed(points, ends_meet)) == number


def test_a_long_step_passes_a_bent_line_where_it_really_meets_it() -> None:
    (found,) = crossed([(150.0, 120.0), (10.0, 60.0)], BENT)
    assert found["x"] == 100
    assert found["y"] == pytest.approx(120 - 60 * 50 / 140)


def test_passing_a_sharp_corner_outside_is_no_crossing() -> None:
    sharp = {"sharp": Line(points=((0.0, 0.0), (100.0, 0.0), (10.0, 50.0)))}
    around = [(90.0, -20.0), (101.0, 1.5), (105.0, 5.0), (110.0, 20.0), (60.0, 60.0)]
    assert names(crossed(around, sharp)) == []


def test_two_lines_with_a_common_end_share_no_crossing() -> None:
    lines = {
        "upper": Line(points=((100.0, 0.0), (100.0, 50.0))),
        "lower": Line(points=((100.0, 50.0), (100.0, 100.0))),
    }
    assert len(crossed(EAST, lines)) == len(crossed(EAST[::-1], lines)) == 1


@pytest.mark.parametrize("states", [(SEEN, BRIDGED), (BRIDGED, SEEN)])
def test_a_crossing_is_as_uncertain_as_the_rows_around_it(states: tuple[int, int]) -> None:
    table = walk([(60.0, 50.0), (140.0, 50.0)])
    table["state"] = states
    (found,) = find_crossings(path(table), GATE, MARGIN)
    assert found["state"] == BRIDGED


def test_who_waits_on_the_line_crosses_it_where_the_middle_of_its_passages_is() -> None:
    table = walk([(90.0, 50.0), (99.0, 50.0), *[(101.0, 50.0)] * 40, (110.0, 50.0)])
    table["state"][2:-1] = RESTED
    (found,) = find_crossings(path(table), GATE, MARGIN)
    assert (found["t"], found["state"]) == (125_000, RESTED)


@pytest.mark.parametrize(("gap", "state"), [(1, SEEN), (2, SEEN), (3, BRIDGED), (20, BRIDGED)])
def test_a_crossing_in_a_gap_was_not_seen(gap: int, state: int) -> None:
    table = walk(EAST)
    table["t"][5:] += 50_000 * (gap - 1)
    (found,) = find_crossings(path(table), {"gate": _moved(DOWN, 5)}, MARGIN)
    assert found["state"] == state


def test_the_class_is_that_of_most_rows() -> None:
    table = walk(EAST)
    table["class_id"][:3] = 2
    (found,) = find_crossings(path(table), GATE, MARGIN)
    assert found["class_id"] == 1


def test_tracks_in_any_parts_cross_alike() -> None:
    rng = np.random.default_rng(1)
    table = together(
        *(
            walk(np.cumsum(rng.normal(0, 9, (n, 2)), 0) + 95, k)
            for k, n in ((3, 90), (7, 1), (8, 60))
        )
    )
    whole = find_crossings(path(table), GATE, MARGIN)
    parts = [find_crossings(part, GATE, MARGIN) for part in paths(table, most_rows=20)]
    assert len(parts) == 2  # the second track fits in with the first
    assert len(whole) > 3
    assert rows_of(np.concatenate(parts)) == rows_of(whole)


def _moved(line: Line, columns: float) -> Line:
    return Line(points=tuple((x + columns, y) for x, y in line.points))


coordinates = st.integers(0, 40).map(lambda tenth: tenth * 5.0)
steps = st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=30)
polylines = st.lists(st.tuples(coordinates, coordinates), min_size=2, max_size=4, unique=True)


@settings(deadline=None, max_examples=200)
@given(points=steps, corners=polylines)
def test_backwards_in_time_directions_are_exchanged(
    points: Points, corners: list[tuple[float, float]]
) -> None:
    assume(not any(line_faults(corners)))
    lines = {"line": Line(points=tuple(corners))}
    there, back = crossed(points, lines), crossed(points[::-1], lines)
    turned = {"forward": "backward", "backward": "forward"}
    assert [turned[name] for name in names(back)[::-1]] == names(there)
    last_us = 50_000 * (len(points) + 1)
    assert np.abs(last_us - back["t"][::-1] - there["t"]).max(initial=0) <= 1


@settings(deadline=None, max_examples=100)
@given(points=steps, corners=polylines)
def test_a_line_drawn_the_other_way_exchanges_directions(
    points: Points, corners: list[tuple[float, float]]
) -> None:
    off = tuple((x + 0.37, y + 0.29) for x, y in corners)  # which no point of the path lies on
    assume(not any(line_faults(off)))
    found, turned = (
        crossed(points, {"line": Line(points=ends, forward=forward, backward=backward)})
        for ends, forward, backward in ((off, "a", "b"), (off[::-1], "b", "a"))
    )
    assert np.abs(found["t"] - turned["t"]).max(initial=0) <= 1  # rounded from either end
    turned["t"] = found["t"]
    assert rows_of(found) == rows_of(turned)


@settings(deadline=None, max_examples=200)
@given(points=steps, at=st.integers(1, 97))
def test_halves_of_a_line_add_up(points: Points, at: int) -> None:
    middle = (100.0, float(at))
    top, bottom = (100.0, 0.0), (100.0, 100.0)
    whole = crossed(points, {"whole": Line(points=(top, bottom))})
    halves = crossed(
        points, {"upper": Line(points=(top, middle)), "lower": Line(points=(middle, bottom))}
    )
    assert names(halves) == names(whole)
    np.testing.assert_array_equal(halves["t"], whole["t"])


@settings(deadline=None, max_examples=100)
@given(points=steps)
def test_directions_alternate(points: Points) -> None:
    long = Line(points=((100.0, -1000.0), (100.0, 1000.0)))
    found = names(crossed(points, {"long": long}))
    assert all(first != second for first, second in pairwise(found))
