"""Faults of lines, areas and known points of the ground, in words.

Points are numbered from 1, as a person counts them. The first fault of a shape is the one to
report: later ones may only follow from it.
"""

from collections.abc import Iterator, Sequence
from itertools import combinations, pairwise

import numpy as np
from jaxtyping import Float64

Point = tuple[float, float]
Points = Sequence[Point]

LEAST_OF_LINE, LEAST_OF_ZONE, LEAST_OF_GROUND = 2, 3, 4
"""How many points a line, an area and a homography need."""

_LEAST_SHARE = 1e-3
"""Points lie on one line if their extent across it is below this share of the extent along it."""

_NUM_ORDERED = 12
"""How many ground points are compared three by three."""


def line_faults(points: Points) -> Iterator[str]:
    """What is wrong with a polyline in px."""
    if len(points) < LEAST_OF_LINE:
        yield _too_few("a line", points, LEAST_OF_LINE)
    else:
        yield from _repeated(points)
        yield from _too_small(points)
        # A line that crosses itself, or is closed, has no right and left side.
        yield from _crossed(points, closed=False)


def polygon_faults(points: Points) -> Iterator[str]:
    """What is wrong with an area in px."""
    if len(points) < LEAST_OF_ZONE:
        yield _too_few("an area", points, LEAST_OF_ZONE)
        return
    yield from _repeated(points)
    if points[0] == points[-1]:
        yield (
            f"the last point repeats the first one {place(points[0])}: remove it, since an area "
            "is closed without it"
        )
    yield from _too_small(points)
    if on_one_line(points):
        yield "it has no area, since all points lie on one line: move one of them"
    yield from _crossed(points, closed=True)


def ground_faults(points_px: Points, points_m: Points) -> Iterator[str]:
    """What prevents points from defining a homography."""
    if len(points_px) != len(points_m):
        yield (
            f"points_px has {len(points_px)} points and points_m has {len(points_m)}: give each "
            "point in both"
        )
        return
    if len(points_px) < LEAST_OF_GROUND:
        yield _too_few("the ground", points_px, LEAST_OF_GROUND)
        return
    repeated = [
        f"{name}, points {first} and {second} are the same place {place(points[first - 1])}: "
        "remove or correct one of them"
        for name, points in (("points_px", points_px), ("points_m", points_m))
        for first, second in _same(points)
    ]
    yield from repeated
    if not repeated:
        yield from _undetermined(points_px, points_m)


def place(point: Point) -> str:
    """A point in short: `(444, 332.5)`."""
    return f"({point[0]:.7g}, {point[1]:.7g})"


def on_one_line(points: Points) -> bool:
    """Whether points have next to no extent across their main direction."""
    return bool(_across(np.array(points, np.float64)) < _LEAST_SHARE)


def _across(points: Float64[np.ndarray, "N 2"]) -> float:
    """Extent across the main direction, as a share of the extent along it."""
    along, across = np.linalg.svd(points - points.mean(axis=0), compute_uv=False)[:2]
    return float(across / along) if along > 0 else 0.0


def _too_few(what: str, points: Points, least: int) -> str:
    return f"{what} needs {least} points or more, and there are {len(points)}: add points"


def _too_small(points: Points) -> Iterator[str]:
    if np.ptp(np.array(points), axis=0).max() < 1:
        yield "all points lie within 1 px: give px of the image, not shares of its size"


def _repeated(points: Points) -> Iterator[str]:
    for number, (point, following) in enumerate(pairwise(points), start=1):
        if point == following:
            yield (
                f"points {number} and {number + 1} are the same place {place(point)}: remove one "
                "of them"
            )


def _same(points: Points) -> Iterator[tuple[int, int]]:
    first_of: dict[Point, int] = {}
    for number, point in enumerate(points, start=1):
        if point in first_of:
            yield first_of[point], number
        first_of.setdefault(point, number)


def _crossed(points: Points, *, closed: bool) -> Iterator[str]:
    """The first corner at which a shape turns back, or else the first two sides that meet."""
    count = len(points)
    around = [*points, *points[:2]] if closed else points
    for i, corner in enumerate(zip(around, around[1:], around[2:], strict=False)):
        if _turns_back(*corner):
            number = (i + 1) % count + 1
            yield f"it turns back on itself at point {number} {place(corner[1])}: move it"
            return
    sides = list(pairwise(around[: count + 1]))
    for i, j in combinations(range(len(sides)), 2):
        are_neighbours = j == i + 1 or (closed and j == i + count - 1)
        if not are_neighbours and _meet(*sides[i], *sides[j]):
            remedy = (
                "list the corners in order around the area"
                if closed
                else ("move its points, or draw several lines")
            )
            yield (
                f"it crosses itself: the side from point {i + 1} to {i + 2} meets the side from "
                f"point {j + 1} to {(j + 1) % count + 1}; {remedy}"
            )
            return


def _turn(a: Point, b: Point, c: Point) -> float:
    """Twice the signed area of a triangle."""
    return (b[0] - a[0]) * (c[1] - a[1]) - (b[1] - a[1]) * (c[0] - a[0])


def _turns_back(a: Point, b: Point, c: Point) -> bool:
    ahead = (b[0] - a[0]) * (c[0] - b[0]) + (b[1] - a[1]) * (c[1] - b[1])
    return _turn(a, b, c) == 0 and ahead < 0


def _meet(a: Point, b: Point, c: Point, d: Point) -> bool:
    """Whether the segments from a to b and from c to d have a point in common."""
    boxes_meet = all(
        min(a[k], b[k]) <= max(c[k], d[k]) and min(c[k], d[k]) <= max(a[k], b[k]) for k in (0, 1)
    )
    return (
        boxes_meet and _turn(a, b, c) * _turn(a, b, d) <= 0 and _turn(c, d, a) * _turn(c, d, b) <= 0
    )


def _undetermined(points_px: Points, points_m: Points) -> Iterator[str]:
    for name, points in (("points_px", points_px), ("points_m", points_m)):
        # Four points of which no three lie on one line exist unless all but one do.
        without = [[*points[:k], *points[k + 1 :]] for k in range(len(points))]
        if on_one_line(points) or any(map(on_one_line, without)):
            yield (
                f"{name}: all points but one lie on one line, which leaves the ground unknown "
                "beside it: add points off that line"
            )
            return
    if _turns_differ(points_px, points_m):
        yield (
            "the points are not in the same order in points_px and points_m: no view of a ground "
            "exchanges places like this"
        )


def _turns_differ(points_px: Points, points_m: Points) -> bool:
    """Whether some triangles are mirrored and others are not.

    A camera sees the ground from one side, so it mirrors all triangles or none.
    """
    signs = set()
    for chosen in combinations(range(min(len(points_px), _NUM_ORDERED)), 3):
        px, metres = ([points[k] for k in chosen] for points in (points_px, points_m))
        if _is_wide(px) and _is_wide(metres):
            a, b, c = px
            d, e, f = metres
            signs.add((_turn(a, b, c) > 0) == (_turn(d, e, f) > 0))
    return len(signs) > 1


def _is_wide(triangle: Points) -> bool:
    """Whether errors of a few px or decimetres cannot turn a triangle over."""
    return bool(_across(np.array(triangle, np.float64)) > 0.1)  # noqa: PLR2004
