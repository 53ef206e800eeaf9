"""Faults of lines, areas and known points of the ground."""

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from etram_pipeline.traffic.homography import fit_homography
from etram_pipeline.traffic.shapes import ground_faults, line_faults, polygon_faults
from etram_pipeline.traffic.site import Ground

Points = list[tuple[float, float]]


def regular(corners: int, step: int = 1) -> Points:
    """Corners of a regular polygon, or of a star if some are skipped."""
    angles = [2 * math.pi * step * k / corners for k in range(corners)]
    return [(100 + 50 * math.cos(angle), 100 + 50 * math.sin(angle)) for angle in angles]


@pytest.mark.parametrize("corners", [3, 4, 5, 30, 500])
def test_regular_polygons_are_areas_either_way_around(corners: int) -> None:
    assert [*polygon_faults(regular(corners)), *polygon_faults(regular(corners)[::-1])] == []


@pytest.mark.parametrize(("corners", "step"), [(5, 2), (7, 2), (7, 3), (499, 3)])
def test_stars_cross_themselves(corners: int, step: int) -> None:
    (fault,) = polygon_faults(regular(corners, step))
    assert fault.startswith("it crosses itself: the side from point 1 to 2 meets the side from")


def floats(*points: tuple[int, int]) -> Points:
    return [(float(x), float(y)) for x, y in points]


def test_concave_areas_are_allowed_until_they_touch_themselves() -> None:
    comb = floats((0, 0), (90, 0), (90, 50), (60, 50), (60, 10), (30, 10), (30, 50), (0, 50))
    assert list(polygon_faults(comb)) == []
    comb[4] = (60.0, 0.0)
    (fault,) = polygon_faults(comb)
    assert fault.startswith("it crosses itself: the side from point 1 to 2")


def test_lines_may_bend_but_neither_cross_themselves_nor_stand_still() -> None:
    bent = floats((0, 0), (10, 10), (20, 0), (30, 10))
    assert list(line_faults(bent)) == []
    (fault,) = line_faults([bent[0], *bent])
    assert fault.startswith("points 1 and 2 are the same place (0, 0)")
    (fault,) = line_faults(floats((0, 0), (10, 10), (10, 0), (0, 10)))
    assert fault.startswith("it crosses itself: the side from point 1 to 2")


def view(ground: Points, height_m: float, tilt: float) -> Points:
    """Places in the picture of a camera at the origin that looks along y and down."""
    x, y = np.array(ground).T
    depth = y * math.cos(tilt) + height_m * math.sin(tilt)
    below = height_m * math.cos(tilt) - y * math.sin(tilt)
    return [(float(u), float(v)) for u, v in zip(900 * x / depth, 900 * below / depth, strict=True)]


@settings(max_examples=100, deadline=None)
@given(
    spots=st.lists(
        st.tuples(st.integers(-20, 20), st.integers(2, 60)), min_size=4, max_size=9, unique=True
    ),
    height_m=st.floats(4, 15),
    tilt=st.floats(0.1, 1),
)
def test_what_a_camera_sees_is_accepted_and_two_exchanged_points_are_not(
    spots: list[tuple[int, int]], height_m: float, tilt: float
) -> None:
    ground = [(float(x), float(y)) for x, y in spots]
    picture = view(ground, height_m, tilt)
    faults = list(ground_faults(picture, ground))
    assert [fault for fault in faults if "all points but one lie on one line" not in fault] == []
    assume(not faults)
    fit_homography(Ground(points_px=tuple(picture), points_m=tuple(ground)))


def test_exchanged_points_of_the_ground_are_found() -> None:
    ground = [(-5.0, 10.0), (5.0, 10.0), (6.0, 30.0), (-6.0, 30.0)]
    picture = view(ground, 8, 0.4)
    assert list(ground_faults(picture, ground)) == []
    for first in range(4):
        exchanged = list(ground)
        second = (first + 1) % 4
        exchanged[first], exchanged[second] = ground[second], ground[first]
        (fault,) = ground_faults(picture, exchanged)
        assert fault.startswith("the points are not in the same order")
