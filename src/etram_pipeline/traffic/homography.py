"""From px to metres on the ground, where the picture shows ground whose place is known."""

import logging
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float64

from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.polygon import inside
from etram_pipeline.traffic.site import Ground, Point

logger = logging.getLogger(__name__)

HULL_MARGIN = 0.1
"""How far beyond the known points places are still computed, as a share of the distance from the
middle of the points to the border of their hull. Beyond, errors grow without limit."""

LARGE_RESIDUAL_M = 0.5
"""Residual in metres above which known points are doubted."""

_LEAST_SINGULAR_VALUE = 1e-4
"""Points whose equations have a smaller second singular value do not determine a homography. The
largest is about 2, since points are normalised."""


@dataclass(frozen=True, eq=False)
class Homography:
    """Projective map of the picture onto the ground.

    Attributes:
        matrix: Maps homogeneous px to homogeneous metres; the third coordinate is positive for all
            known points.
        residuals_m: Distance of each known point from where the map places it, in metres; zero for
            four points, which fit always.
        area: Corners in px of the area in which places are computed.
    """

    matrix: Float64[np.ndarray, "3 3"]
    residuals_m: Float64[np.ndarray, " K"]
    area: tuple[Point, ...]

    def to_ground(self, points: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "N 2"]:
        """Places on the ground in metres; NaN outside `area`, and beyond the horizon."""
        with np.errstate(divide="ignore", invalid="ignore"):
            metres, depth = _mapped(self.matrix, points)
        is_known = inside(points, self.area) & (depth > 0)
        return np.where(is_known[:, None], metres, np.nan)


@lru_cache(maxsize=16)  # one warning for all recordings of a site
def fit_homography(ground: Ground) -> Homography:
    """The homography that fits known points best, by the normalised direct linear transform.

    Logs a warning if a residual exceeds `LARGE_RESIDUAL_M`.

    Raises:
        SiteError: If the points do not determine a homography, or no camera can see them like this.

    Source: Hartley and Zisserman, "Multiple View Geometry", 2nd edition, algorithm 4.2.
    """
    px, metres = np.array(ground.points_px, np.float64), np.array(ground.points_m, np.float64)
    to_unit_px, to_unit_m = _normalisation(px), _normalisation(metres)
    unit = _solved(_mapped(to_unit_px, px)[0], _mapped(to_unit_m, metres)[0])
    matrix = np.linalg.inv(to_unit_m) @ unit @ to_unit_px
    depth = _mapped(matrix, px)[1]
    if depth.min() <= 0 <= depth.max():
        raise SiteError(
            "ground: the horizon would lie between the points, so points_px and points_m are "
            "not in the same order, or one of them is wrong"
        )
    matrix *= np.sign(depth[0])
    residuals = np.hypot(*(_mapped(matrix, px)[0] - metres).T)
    worst = int(residuals.argmax())
    if residuals[worst] > LARGE_RESIDUAL_M:
        logger.warning(
            "ground: point %d of points_px and points_m is %.2f m off the place that fits all "
            "points; speeds and places in metres are as wrong: check this point",
            worst + 1,
            residuals[worst],
        )
    return Homography(matrix, residuals, _enlarged_hull(px))


def _mapped(
    matrix: Float64[np.ndarray, "3 3"], points: Float64[np.ndarray, "N 2"]
) -> tuple[Float64[np.ndarray, "N 2"], Float64[np.ndarray, " N"]]:
    """Points under a projective map, and the third homogeneous coordinate of each."""
    homogeneous = points @ matrix[:, :2].T + matrix[:, 2]
    return homogeneous[:, :2] / homogeneous[:, 2:], homogeneous[:, 2]


def _normalisation(points: Float64[np.ndarray, "N 2"]) -> Float64[np.ndarray, "3 3"]:
    """Moves points to the origin and scales them to a mean distance of the root of two."""
    middle = points.mean(axis=0)
    distance = float(np.hypot(*(points - middle).T).mean())
    scale = np.sqrt(2) / distance if distance > 0 else 1.0
    return np.array([[scale, 0, -scale * middle[0]], [0, scale, -scale * middle[1]], [0, 0, 1]])


def _solved(
    px: Float64[np.ndarray, "N 2"], metres: Float64[np.ndarray, "N 2"]
) -> Float64[np.ndarray, "3 3"]:
    """The map from normalised px to normalised metres."""
    ones, zeros = np.ones((len(px), 1)), np.zeros((len(px), 3))
    known = np.hstack([px, ones])
    equations = np.vstack(
        [
            np.hstack([known, zeros, -known * metres[:, :1]]),
            np.hstack([zeros, known, -known * metres[:, 1:]]),
        ]
    )
    _, values, rows = np.linalg.svd(equations)
    matrix: Float64[np.ndarray, "3 3"] = rows[-1].reshape(3, 3)
    if values[7] < _LEAST_SINGULAR_VALUE or np.linalg.cond(matrix) > 1 / _LEAST_SINGULAR_VALUE:
        raise SiteError(
            "ground: the points lie on one line, or all but one do, so places beside it are "
            "unknown: give four or more points that span the street"
        )
    return matrix


def _enlarged_hull(points: Float64[np.ndarray, "N 2"]) -> tuple[Point, ...]:
    corners = np.array(_hull([(float(x), float(y)) for x, y in points]))
    middle = corners.mean(axis=0)
    enlarged = middle + (1 + HULL_MARGIN) * (corners - middle)
    return tuple((float(x), float(y)) for x, y in enlarged)


def _hull(points: list[Point]) -> list[Point]:
    """Corners of the convex hull in order around it.

    Source: Andrew's monotone chain.
    """
    ordered = sorted(set(points))
    return _chain(ordered)[:-1] + _chain(ordered[::-1])[:-1]


def _chain(ordered: list[Point]) -> list[Point]:
    chain: list[Point] = []
    for point in ordered:
        while len(chain) > 1 and _turn(chain[-2], chain[-1], point) <= 0:
            chain.pop()
        chain.append(point)
    return chain


def _turn(a: Point, b: Point, c: Point) -> float:
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])
