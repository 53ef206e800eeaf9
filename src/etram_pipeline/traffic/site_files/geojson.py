"""GeoJSON, as QGIS and other geographic information systems write it.

Each feature is a line or a zone. Its properties are `name`, `kind` (`line`, `zone` or `ignore`;
without it, line strings are lines and polygons are zones), and for lines `forward` and `backward`.
Coordinates are px. A picture without a place on the map lies below the origin in QGIS, so rows are
negative there; if the rows of a file are negative on average, their sign is changed. The members
`image` and `ground` at the top level have the meaning that they have in `site.yml`.

Source: RFC 7946.
"""

from collections.abc import Mapping
from typing import Any

from etram_pipeline.core.component import unknown_name
from etram_pipeline.core.errors import SiteError
from etram_pipeline.core.validation_errors import shown
from etram_pipeline.traffic.strict_json import parse_json

SUFFIXES = (".geojson", ".json")
STATES_SIZE = False

_KINDS = {"line": "lines", "zone": "zones", "ignore": "ignore"}
_KIND_OF = {"LineString": "line", "Polygon": "zone"}


def parse(text: str) -> dict[str, Any]:
    """Lines and zones of a file.

    Raises:
        SiteError: If the file is no GeoJSON, or a feature is no line or zone.
    """
    content = parse_json(text)
    features = content.get("features") if isinstance(content, dict) else None
    if not isinstance(features, list) or content.get("type") != "FeatureCollection":
        raise SiteError("it is no FeatureCollection of GeoJSON: export the layer again")
    if content.get("unit", "px") != "px":
        raise SiteError(f"its places are in {content['unit']}, but lines and zones must be in px")
    found: dict[str, dict[str, Any]] = {key: {} for key in _KINDS.values()}
    for number, feature in enumerate(features, start=1):
        _add(found, feature, f"feature {number}")
    _turn_upright(found)
    return found | {key: content[key] for key in ("image", "ground") if key in content}


def _add(found: dict[str, dict[str, Any]], feature: Any, where: str) -> None:  # noqa: ANN401
    geometry = _member(feature, "geometry", where)
    properties = feature.get("properties") or {}
    if not isinstance(properties, Mapping):
        raise SiteError(f"{where}: properties must be a mapping, not {shown(properties)}")
    name = properties.get("name")
    if isinstance(name, int) and not isinstance(name, bool):
        name = str(name)
    if not isinstance(name, str):
        raise SiteError(f"{where} has no text as its property `name`: name each line and zone")
    what, points = _points(geometry, f"{where}, {name!r}")
    kind = properties.get("kind") or _KIND_OF[what]
    if kind not in _KINDS:
        raise SiteError(f"{where}, {name!r}: {unknown_name('kind', kind, _KINDS)}")
    if (what == "LineString") != (kind == "line"):
        raise SiteError(f"{where}, {name!r} is a {what}, which cannot be of the kind {kind!r}")
    shapes = found[_KINDS[kind]]
    if name in shapes:
        raise SiteError(f"{where}: another {kind} is called {name!r} too: rename one of them")
    if kind == "line":
        directions = ("forward", "backward")
        named = {key: properties[key] for key in directions if properties.get(key) is not None}
        shapes[name] = {"points": points, **named}
    else:
        shapes[name] = {"polygon": points}


def _points(geometry: Mapping[str, Any], where: str) -> tuple[str, list[Any]]:
    """The kind of a geometry, and its only line or ring."""
    what, coordinates = geometry.get("type"), geometry.get("coordinates")
    if not isinstance(coordinates, list):
        raise SiteError(f"{where} has no list of coordinates")
    if isinstance(what, str) and what.startswith("Multi"):
        what, coordinates = what.removeprefix("Multi"), _only(coordinates, "part", where)
    if what not in _KIND_OF:
        raise SiteError(f"{where} is a {shown(what)}: draw lines as LineString, zones as Polygon")
    if what == "Polygon":
        coordinates = _only(coordinates, "ring", where)
        if len(coordinates) > 1 and coordinates[0] == coordinates[-1]:
            coordinates = coordinates[:-1]
    # A third coordinate would be a height.
    return what, [each[:2] if isinstance(each, list) else each for each in coordinates]


def _only(parts: list[Any], what: str, where: str) -> list[Any]:
    if len(parts) != 1 or not isinstance(parts[0], list):
        raise SiteError(f"{where} has {len(parts)} {what}s instead of one: draw it as one")
    return parts[0]


def _member(feature: Any, key: str, where: str) -> Mapping[str, Any]:  # noqa: ANN401
    member = feature.get(key) if isinstance(feature, Mapping) else None
    if not isinstance(member, Mapping):
        raise SiteError(f"{where} has no {key}: remove it or draw it again")
    return member


def _turn_upright(found: dict[str, dict[str, Any]]) -> None:
    """Change the sign of all rows if they are negative on average."""
    shapes = [shape for kind in found.values() for shape in kind.values()]
    points = [point for shape in shapes for point in shape.get("points", shape.get("polygon"))]
    rows = [point for point in points if _has_row(point)]
    if sum(point[1] for point in rows) < 0:
        for point in rows:
            point[1] = -point[1]


def _has_row(point: Any) -> bool:  # noqa: ANN401
    return isinstance(point, list) and len(point) > 1 and type(point[1]) in {int, float}
