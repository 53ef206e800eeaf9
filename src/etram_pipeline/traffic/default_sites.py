"""Lines for recordings of which nobody has drawn any."""

from etram_pipeline.traffic.site import Image, Line, Point, Site

_INSIDE = 0.08
"""Distance of the border's lines from the border, as a share of the sensor's size."""


def border_site(width: int, height: int) -> Site:
    """Four lines inside the border of the sensor: `left`, `top`, `right` and `bottom`.

    They form a rectangle, so each road user that comes from outside and leaves again has an origin
    and a destination. Their directions are `in` and `out`.

    Args:
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
    """
    left, right = _INSIDE * width, (1 - _INSIDE) * width
    top, bottom = _INSIDE * height, (1 - _INSIDE) * height
    corners = [(left, bottom), (left, top), (right, top), (right, bottom), (left, bottom)]
    # Clockwise in the picture, so the inside is to the right hand.
    names = ("left", "top", "right", "bottom")
    return Site(
        image=Image(width=width, height=height),
        lines={
            name: Line(points=_rounded(*ends), forward="in", backward="out")
            for name, *ends in zip(names, corners, corners[1:], strict=False)
        },
    )


def grid_site(width: int, height: int) -> Site:
    """Three upright and two level lines across the sensor.

    Counts on them are compared where nobody has drawn a site, so that every labelled data set has
    an error of counts.

    Args:
        width: Columns of the sensor, in px.
        height: Rows of the sensor, in px.
    """
    upright = {
        f"upright {k}": Line(
            points=_rounded((width * k / 4, 1.0 * height), (width * k / 4, 0.0)),
            forward="right",
            backward="left",
        )
        for k in (1, 2, 3)
    }
    level = {
        f"level {k}": Line(
            points=_rounded((0.0, height * k / 3), (1.0 * width, height * k / 3)),
            forward="down",
            backward="up",
        )
        for k in (1, 2)
    }
    return Site(image=Image(width=width, height=height), lines=upright | level)


def _rounded(*points: Point) -> tuple[Point, ...]:
    return tuple((round(x, 1), round(y, 1)) for x, y in points)
