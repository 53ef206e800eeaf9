"""From px to metres on the ground."""

import logging

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.homography import Homography, fit_homography
from etram_pipeline.traffic.site import Ground, Point

STREET = np.array([(0, 0), (20, 0), (20, 10), (0, 10), (10, 5)], np.float64)
"""Points of a street of 20 m by 10 m."""


def seen(metres: np.ndarray) -> np.ndarray:
    """Where a camera over the street sees places on it, in px; its horizon is at row 0."""
    x, y = metres.T
    depth = 1 + 0.03 * y
    return np.column_stack([(100 + 30 * x - 4 * y) / depth, (400 - 12 * y) / depth])


def pairs(points: np.ndarray) -> tuple[Point, ...]:
    return tuple((float(x), float(y)) for x, y in points)


def fitted(px: np.ndarray, metres: np.ndarray) -> Homography:
    return fit_homography(Ground(points_px=pairs(px), points_m=pairs(metres)))


def unchecked(px: np.ndarray, metres: np.ndarray) -> Ground:
    """Points that no file of a site could hold."""
    return Ground.model_construct(points_px=pairs(px), points_m=pairs(metres))


@pytest.mark.parametrize("number", [4, 5])
def test_exact_points_are_mapped_exactly(number: int) -> None:
    homography = fitted(seen(STREET)[:number], STREET[:number])
    assert homography.residuals_m.max() < 1e-9
    inner = np.random.default_rng(0).uniform([0, 0], [20, 10], (50, 2))
    np.testing.assert_allclose(homography.to_ground(seen(inner)), inner, atol=1e-9)


@settings(deadline=None, max_examples=50)
@given(
    east_m=st.floats(-1e6, 1e6), north_m=st.floats(-1e7, 1e7), turn=st.floats(0, 6.3),
    mirror=st.sampled_from([-1, 1]),
)  # fmt: skip
def test_any_coordinates_of_the_ground_serve(
    east_m: float, north_m: float, turn: float, mirror: int
) -> None:
    turned = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    metres = (STREET * [1, mirror]) @ turned + [east_m, north_m]
    homography = fitted(seen(STREET), metres)
    assert homography.residuals_m.max() < 1e-6
    assert np.isfinite(homography.to_ground(seen(STREET))).all()


def test_places_outside_the_known_points_are_unknown() -> None:
    homography = fitted(seen(STREET), STREET)
    beyond = np.array([[10, -0.2], [10, -3], [30, 5], [10, 30], [20.5, 5]])
    places = homography.to_ground(seen(beyond))
    assert np.isfinite(places).all(axis=1).tolist() == [True, False, False, False, True]


def test_places_beyond_the_horizon_are_unknown() -> None:
    whole_picture = Homography(
        matrix=fitted(seen(STREET), STREET).matrix,
        residuals_m=np.zeros(4),
        area=((-1e4, -1e4), (1e4, -1e4), (1e4, 1e4), (-1e4, 1e4)),
    )
    rows = np.column_stack([np.full(4, 200.0), [300.0, -399.0, -401.0, -700.0]])
    assert np.isfinite(whole_picture.to_ground(rows)).all(axis=1).tolist() == [
        True,
        True,
        *[False] * 2,
    ]


def test_small_errors_of_points_are_averaged() -> None:
    rng = np.random.default_rng(0)
    metres = np.array([(x, y) for x in (0, 10, 20) for y in (0, 5, 10)], np.float64)
    homography = fitted(seen(metres) + rng.normal(0, 1, (9, 2)), metres)
    assert 0.001 < homography.residuals_m.max() < 0.3


def test_a_wrong_point_is_named(caplog: pytest.LogCaptureFixture) -> None:
    wrong = seen(STREET)
    wrong[4] += [80, 0]
    with caplog.at_level(logging.WARNING):
        homography = fitted(wrong, STREET)
        fitted(wrong, STREET)
    (message,) = caplog.messages
    assert f"is {homography.residuals_m.max():.2f} m off" in message


COLLINEAR = np.array([(0, 0), (5, 0), (10, 0), (20, 0)], np.float64)


@pytest.mark.parametrize(
    ("px", "metres"),
    [
        (seen(COLLINEAR), COLLINEAR),
        (seen(STREET)[:4], COLLINEAR),
        (seen(COLLINEAR), STREET[:4]),
        (
            np.array([(0, 0), (5, 0), (10, 0), (20, 9)]),
            np.array([(0, 0), (5, 0), (10, 0), (20, 9)]),
        ),
        (np.zeros((4, 2)), np.zeros((4, 2))),
    ],
)
def test_points_in_one_line_are_refused(px: np.ndarray, metres: np.ndarray) -> None:
    with pytest.raises(SiteError, match=r"ground: .* one line"):
        fit_homography(unchecked(px, metres))


def test_exchanged_corners_are_refused() -> None:
    with pytest.raises(SiteError, match="not in the same order"):
        fit_homography(unchecked(seen(STREET)[[0, 1, 3, 2]], STREET[:4]))
