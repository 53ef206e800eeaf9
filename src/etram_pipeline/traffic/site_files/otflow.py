"""Sections of OTAnalytics (`.otflow`): lines, and areas as zones.

Flows are not read, since movements between all lines are counted. Directions are called `forward`
and `backward`. Sections that only cut tracks are left out.

Source: files written by OpenTrafficCam's OTAnalytics.
"""

import logging
from collections.abc import Mapping
from typing import Any

from etram_pipeline.core.errors import SiteError
from etram_pipeline.core.validation_errors import shown
from etram_pipeline.traffic.strict_json import parse_json

logger = logging.getLogger(__name__)

SUFFIXES = (".otflow",)
STATES_SIZE = False

GROUND_POINT = {"x": 0.5, "y": 1.0}
"""The point of a box whose crossings are counted: the middle of its lower edge."""

_CUTTING = "#cut"
"""Start of the names of sections that cut tracks."""


def parse(text: str) -> dict[str, Any]:
    """Lines and zones of a file.

    Raises:
        SiteError: If the file is none of OTAnalytics, or a section is neither line nor area.
    """
    content = parse_json(text)
    if isinstance(content, dict) and "Detectors" in content:
        raise SiteError("an old version of OTAnalytics wrote it: save it again with a new one")
    sections = content.get("sections") if isinstance(content, dict) else None
    if not isinstance(sections, list):
        raise SiteError("it has no list of `sections`, so it is no file of OTAnalytics")
    found: dict[str, dict[str, Any]] = {"lines": {}, "zones": {}}
    other_points: list[str] = []
    for number, section in enumerate(sections, start=1):
        name = _add(found, section, f"section {number}")
        if name and not _is_at_ground(section):
            other_points.append(name)
    if other_points:
        logger.warning(
            "OTAnalytics counts %s at other points of a box than the middle of its lower edge, "
            "which is counted here: counts differ if lines were drawn for those points",
            ", ".join(map(repr, other_points)),
        )
    return found


def _add(found: dict[str, dict[str, Any]], section: Any, where: str) -> str | None:  # noqa: ANN401
    """Add a section; its name, or None if it only cuts tracks."""
    if not isinstance(section, Mapping):
        raise SiteError(f"{where} must be a mapping, not {shown(section)}")
    name = section.get("name") or section.get("id")
    if not isinstance(name, str):
        raise SiteError(f"{where} has no name")
    if name.startswith(_CUTTING):
        return None
    points = _points(section.get("coordinates"), f"{where}, {name!r}")
    match section.get("type"):
        case "line":
            shapes, shape = found["lines"], {"points": points}
        case "area":
            shapes, shape = found["zones"], {"polygon": points[: _length_of_ring(points)]}
        case other:
            raise SiteError(f"{where}, {name!r} has the type {shown(other)}, not line or area")
    if name in shapes:
        raise SiteError(f"{where}: another section is called {name!r} too: rename one of them")
    shapes[name] = shape
    return name


def _points(coordinates: Any, where: str) -> list[list[Any]]:  # noqa: ANN401
    if not isinstance(coordinates, list):
        raise SiteError(f"{where} has no list of coordinates")
    for number, each in enumerate(coordinates, start=1):
        if not isinstance(each, Mapping) or not {"x", "y"} <= set(each):
            raise SiteError(f"{where}, point {number} must have x and y, but is {shown(each)}")
    return [[each["x"], each["y"]] for each in coordinates]


def _length_of_ring(points: list[list[Any]]) -> int:
    """Number of corners: the last point of an area repeats the first."""
    return len(points) - (len(points) > 1 and points[0] == points[-1])


def _is_at_ground(section: Mapping[str, Any]) -> bool:
    offsets = section.get("relative_offset_coordinates")
    offset = offsets.get("section-enter") if isinstance(offsets, Mapping) else None
    return offset in (None, GROUND_POINT)
