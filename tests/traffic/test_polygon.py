"""Which points lie in a polygon."""

import numpy as np
import pytest

from etram_pipeline.traffic.polygon import inside

SQUARE = [(0.0, 0.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
POINTS = np.array([[5, 5], [15, 5], [-1, -1], [9.9, 9.9]], float)


@pytest.mark.parametrize("corners", [SQUARE, SQUARE[::-1], SQUARE[2:] + SQUARE[:2]])
def test_any_order_of_corners_gives_the_same_area(corners: list[tuple[float, float]]) -> None:
    assert inside(POINTS, corners).tolist() == [True, False, False, True]


def test_a_notch_is_outside() -> None:
    notched = [(0.0, 0.0), (5.0, 5.0), (10.0, 0.0), (10.0, 10.0), (0.0, 10.0)]
    assert inside(np.array([[5.0, 2], [5, 7], [1, 2]]), notched).tolist() == [False, True, True]


def test_a_point_on_a_common_edge_lies_in_one_of_two_neighbours() -> None:
    right = [(x + 10, y) for x, y in SQUARE]
    below = [(x, y + 10) for x, y in SQUARE]
    points = np.array([[10.0, 3], [3, 10]])
    numbers = [inside(points, corners).astype(int) for corners in (SQUARE, right, below)]
    assert np.sum(numbers, axis=0).tolist() == [1, 1]


def test_the_share_of_random_points_is_the_area() -> None:
    points = np.random.default_rng(0).uniform(0, 10, (20_000, 2))
    triangle = [(0.0, 0.0), (10.0, 0.0), (3.0, 10.0)]
    assert np.mean(inside(points, triangle)) == pytest.approx(0.5, abs=0.01)


def test_no_points_are_nowhere() -> None:
    assert inside(np.zeros((0, 2)), SQUARE).tolist() == []
