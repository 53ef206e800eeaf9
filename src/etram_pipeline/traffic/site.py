"""Lines and zones of a site, in px of the sensor."""

import unicodedata
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from etram_pipeline.core.component import Settings
from etram_pipeline.core.errors import SiteError
from etram_pipeline.traffic.shapes import ground_faults, line_faults, place, polygon_faults

UNKNOWN = "unknown"
"""What tables call the end of a movement of which no line is known."""

LONGEST_NAME = 64
"""Characters of a name that tables hold."""

OFF_IMAGE = 0.05
"""How far points may lie beyond the image, as a share of its longer side.

Nobody who draws close to the border hits it exactly. A site that was drawn on a larger picture
exceeds this.
"""

_UNPRINTABLE = {"Cc", "Cs", "Zl", "Zp"}
"""Categories of Unicode that break lines or tables: controls, lone surrogates, separators."""

_NO_CHARACTERS = "\ufffe\uffff"
"""What YAML does not allow beyond `_UNPRINTABLE`."""


def _checked_name(name: str) -> str:
    if not name.strip():
        raise ValueError("a name must not be empty")
    if name != name.strip():
        raise ValueError(f"the name {name!r} begins or ends with white space: remove it")
    if any(unicodedata.category(c) in _UNPRINTABLE or c in _NO_CHARACTERS for c in name):
        raise ValueError(f"the name {name[:LONGEST_NAME]!r} has control characters: remove them")
    if len(name) > LONGEST_NAME:
        raise ValueError(
            f"the name {name[:20]!r}… has {len(name)} characters: use {LONGEST_NAME} at most"
        )
    return name


def _checked_version(version: object) -> object:
    if isinstance(version, bool):
        raise ValueError("must be 1, not a truth value")  # noqa: TRY004, pydantic collects these
    if isinstance(version, int) and version > 1:
        raise ValueError(
            f"the file has version {version} of the format, and this version of the project reads "
            "version 1: update the project"
        )
    return version


Name = Annotated[str, AfterValidator(_checked_name)]
"""Name of a line, a zone or a direction, as tables show it."""

Coordinate = Annotated[float, Field(ge=-1e8, le=1e8, allow_inf_nan=False)]
"""A place in px, or in metres of any national grid."""

Point = tuple[Coordinate, Coordinate]
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

    points: tuple[Point, ...] = Field(max_length=500)
    forward: Name = "forward"
    backward: Name = "backward"

    @model_validator(mode="after")
    def _check(self) -> "Line":
        _refuse(line_faults(self.points))
        if self.forward == self.backward:
            raise ValueError(
                f"both directions are called {self.forward!r}: give them different names"
            )
        return self


class Zone(Settings):
    """An area.

    Attributes:
        polygon: Three or more corners, in order around the area; the last side leads back to the
            first corner.
    """

    polygon: tuple[Point, ...] = Field(max_length=500)

    @model_validator(mode="after")
    def _check(self) -> "Zone":
        _refuse(polygon_faults(self.polygon))
        return self


class Ground(Settings):
    """Points of the ground whose places are known in the picture and in metres.

    Attributes:
        points_px: Four or more points in px.
        points_m: The same points in metres.
    """

    points_px: tuple[Point, ...] = Field(max_length=500)
    points_m: tuple[Point, ...] = Field(max_length=500)

    @model_validator(mode="after")
    def _check(self) -> "Ground":
        _refuse(ground_faults(self.points_px, self.points_m))
        return self


class Site(Settings):
    """What is counted where.

    Lines, zones and ignored zones all have different names.

    Attributes:
        version: Version of the format.
        image: Sensor that all px refer to.
        lines: Lines by name.
        zones: Zones by name.
        ignore: Zones in which nothing counts, by name, such as trees in the wind.
        ground: Known points of the ground; None: speeds and metres are unknown.
    """

    version: Annotated[Literal[1], BeforeValidator(_checked_version)] = 1
    image: Image
    lines: dict[Name, Line] = Field(default_factory=dict, max_length=200)
    zones: dict[Name, Zone] = Field(default_factory=dict, max_length=200)
    ignore: dict[Name, Zone] = Field(default_factory=dict, max_length=200)
    ground: Ground | None = None

    @model_validator(mode="before")
    @classmethod
    def _without_empty(cls, raw: Any) -> Any:  # noqa: ANN401, whatever a file holds
        """A key without a value in YAML, such as `zones:`, means that there are none."""
        if not isinstance(raw, Mapping):
            return raw
        return {key: value for key, value in raw.items() if value is not None or key == "image"}

    @model_validator(mode="after")
    def _check(self) -> "Site":
        _refuse([*self._name_faults(), *self._places_off_image()])
        return self

    def _name_faults(self) -> Iterator[str]:
        for what, names in (("line", self.lines), ("zone", self.zones)):
            if UNKNOWN in names:
                yield (
                    f"{what} {UNKNOWN!r}: tables use this name for ends of movements of which no "
                    f"{what} is known; choose another one"
                )
        what_of: dict[str, str] = {}
        for what, shapes in self._shapes():
            for name in shapes:
                if name in what_of:
                    yield f"{what_of[name]} and {what} are both called {name!r}: rename one of them"
                what_of[name] = what

    def _places_off_image(self) -> Iterator[str]:
        for what, shapes in self._shapes():
            for name, points in shapes.items():
                yield from self._off_image(f"{what} {name!r}", points)
        if self.ground is not None:
            yield from self._off_image("ground, points_px", self.ground.points_px)

    def _shapes(self) -> Iterator[tuple[str, dict[str, tuple[Point, ...]]]]:
        yield "line", {name: line.points for name, line in self.lines.items()}
        for what, zones in (("zone", self.zones), ("ignored zone", self.ignore)):
            yield what, {name: zone.polygon for name, zone in zones.items()}

    def _off_image(self, what: str, points: tuple[Point, ...]) -> Iterator[str]:
        width, height = self.image.width, self.image.height
        margin = OFF_IMAGE * max(width, height)
        for number, (x, y) in enumerate(points, start=1):
            if not (-margin <= x <= width + margin and -margin <= y <= height + margin):
                yield (
                    f"{what}, point {number} {place((x, y))} lies off the image of {width} x "
                    f"{height} px: move it, or correct the size of the image; px are counted to "
                    "the right and down from the upper left corner"
                )
                return


def check_site(site: Site, width: int, height: int) -> None:
    """Refuse a site that was drawn for another sensor.

    Raises:
        SiteError: If its image does not have the size of the sensor.
    """
    if (site.image.width, site.image.height) != (width, height):
        raise SiteError(
            f"the lines and zones were drawn on an image of {site.image.width} x "
            f"{site.image.height} px, but the sensor has {width} x {height} px: draw them on a "
            "picture of this sensor"
        )


def _refuse(faults: Iterator[str] | list[str]) -> None:
    """Raise the first fault there is."""
    if fault := next(iter(faults), None):
        raise ValueError(fault)
