"""Lines and zones of a site, in px of the sensor."""

from typing import Literal

from pydantic import Field

from etram_pipeline.core.component import Settings

Point = tuple[float, float]
"""Column and row in px, or metres on the ground."""


class Image(Settings):
    """Size of the sensor that places refer to, in px."""

    width: int = Field(gt=0)
    height: int = Field(gt=0)


class Line(Settings):
    """A polyline whose crossings are counted in both directions.

    Attributes:
        points: Two or more points.
        forward: Name of the direction to the right hand of the way from the first point to the
            last, as seen in the picture.
        backward: Name of the opposite direction.
    """

    points: tuple[Point, ...] = Field(min_length=2)
    forward: str = "forward"
    backward: str = "backward"


class Zone(Settings):
    """An area.

    Attributes:
        polygon: Three or more corners.
    """

    polygon: tuple[Point, ...] = Field(min_length=3)


class Ground(Settings):
    """Points of the ground whose places are known in the picture and in metres.

    Attributes:
        points_px: Four or more points in px.
        points_m: The same points in metres.
    """

    points_px: tuple[Point, ...] = Field(min_length=4)
    points_m: tuple[Point, ...] = Field(min_length=4)


class Site(Settings):
    """What is counted where.

    Attributes:
        version: Version of the format.
        image: Sensor that all px refer to.
        lines: Lines by name.
        zones: Zones by name.
        ignore: Zones in which nothing counts, by name, such as trees in the wind.
        ground: Known points of the ground; None: speeds and metres are unknown.
    """

    version: Literal[1] = 1
    image: Image
    lines: dict[str, Line] = Field(default_factory=dict)
    zones: dict[str, Zone] = Field(default_factory=dict)
    ignore: dict[str, Zone] = Field(default_factory=dict)
    ground: Ground | None = None
