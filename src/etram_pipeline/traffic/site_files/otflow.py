"""Sections of OTAnalytics (`.otflow`): lines, and areas as zones.

Flows are not read, since movements between all lines are counted. Directions are called `forward`
and `backward`. Sections that only cut tracks are left out.

Source: files written by OpenTrafficCam's OTAnalytics.
"""

import logging
from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from etram_pipeline.core.errors import SiteError
from etram_pipeline.core.validation_errors import describe_errors
from etram_pipeline.traffic.strict_json import parse_json

logger = logging.getLogger(__name__)

SUFFIXES = (".otflow",)
STATES_SIZE = False

GROUND_POINT = {"x": 0.5, "y": 1.0}
"""The point of a box whose crossings are counted: the middle of its lower edge."""

_CUTTING = "#cut"
"""Start of the names of sections that cut tracks."""


class _Coordinate(BaseModel):
    x: Any
    y: Any


class _Section(BaseModel):
    id: str
    name: str | None = None
    type: Literal["line", "area"]
    coordinates: list[_Coordinate]
    relative_offset_coordinates: dict[str, Any] = {}

    @property
    def title(self) -> str:
        return self.name or self.id


def parse(text: str, where: str) -> dict[str, Any]:
    """Lines and zones of a file.

    Raises:
        SiteError: If the file is none of OTAnalytics, or a section is neither line nor area.
    """
    content = parse_json(text, where)
    if isinstance(content, dict) and "Detectors" in content:
        raise SiteError(
            f"{where} is of an old version of OTAnalytics: save it again with a new one"
        )
    listed = content.get("sections") if isinstance(content, dict) else None
    if not isinstance(listed, list):
        raise SiteError(f"{where} has no list of `sections`, so it is no file of OTAnalytics")
    sections = [_section(each, where, number) for number, each in enumerate(listed, start=1)]
    counted = [each for each in sections if not each.title.startswith(_CUTTING)]
    _tell_other_points(counted)
    found: dict[str, dict[str, Any]] = {"lines": {}, "zones": {}}
    for section in counted:
        points = [[each.x, each.y] for each in section.coordinates]
        shapes = found["lines" if section.type == "line" else "zones"]
        if section.title in shapes:
            raise SiteError(
                f"{where}: two sections are called {section.title!r}: rename one of them"
            )
        shapes[section.title] = (
            {"points": points} if section.type == "line" else {"polygon": _opened(points)}
        )
    return found


def _section(raw: object, where: str, number: int) -> _Section:
    try:
        return _Section.model_validate(raw)
    except ValidationError as error:
        faults = "; ".join(describe_errors(error, f"section {number}"))
        raise SiteError(f"{where}: {faults}") from error


def _tell_other_points(sections: list[_Section]) -> None:
    others = [
        repr(section.title)
        for section in sections
        if section.relative_offset_coordinates.get("section-enter", GROUND_POINT) != GROUND_POINT
    ]
    if others:
        logger.warning(
            "OTAnalytics counts %s at other points of a box than the middle of its lower edge, "
            "which is counted here: counts differ if lines were drawn for those points",
            ", ".join(others),
        )


def _opened(points: list[list[Any]]) -> list[list[Any]]:
    """Corners of an area, whose last point repeats the first in the file."""
    return points[:-1] if len(points) > 1 and points[0] == points[-1] else points
